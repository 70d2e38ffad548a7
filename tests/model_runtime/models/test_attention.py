"""Attention on a CPU: a row is the same to the last bit whatever is fed with it."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.models.attention import ROWS_AT_A_TIME, attend_rows
from model_runtime.models.layers import attend

#: Heads, heads of keys, channels: Qwen2.5-Coder's, Llama 3's, and where each head has its own keys,
#: as DeepSeek-Coder and CodeLlama have them.
SHAPES = ((14, 2, 64), (32, 8, 128), (16, 16, 128), (4, 2, 8), (3, 3, 64))


@settings(deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    n_kept=st.integers(1, 900),
    n_rows=st.integers(1, 40) | st.integers(ROWS_AT_A_TIME, 3 * ROWS_AT_A_TIME),
    n_others=st.integers(0, 60),
    seed=st.integers(0, 2**16),
    chosen=st.data(),
)
def test_a_row_is_the_same_alone_and_among_others(
    shape: tuple[int, int, int],
    n_kept: int,
    n_rows: int,
    n_others: int,
    seed: int,
    chosen: st.DataObject,
) -> None:
    """However many rows there are, and however many that see all of them stand behind it."""
    n_heads, n_kv_heads, head_dim = shape
    rng = torch.Generator().manual_seed(seed)
    n_fed = n_rows + n_others
    n_keys = n_kept + n_fed
    queries = torch.randn(n_fed, n_heads, head_dim, generator=rng)
    keys = torch.randn(n_keys, n_kv_heads, head_dim, generator=rng)
    values = torch.randn(n_keys, n_kv_heads, head_dim, generator=rng)
    allowed = torch.zeros(n_fed, n_keys)
    allowed[:n_rows].masked_fill_(
        torch.ones(n_rows, n_keys, dtype=torch.bool).triu(n_kept + 1), float("-inf")
    )

    together = attend_rows(queries, keys, values, allowed, n_causal=n_rows)

    row = chosen.draw(st.integers(0, n_rows - 1))
    seen = slice(n_kept + row + 1)
    alone = attend_rows(
        queries[row : row + 1], keys[seen], values[seen], allowed[row : row + 1, seen], n_causal=1
    )
    assert torch.equal(alone[0], together[row])
    assert torch.equal(together, attend_rows(queries, keys, values, allowed, n_causal=0))
    assert torch.allclose(together, attend(queries, keys, values, allowed), atol=1e-5)
