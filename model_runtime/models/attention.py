"""Attention of the gated model's rows, chosen for the device.

On a CPU every row's result is the same to the last bit, whatever rows are fed with it and however
many masked keys stand behind the ones it sees; so a token checked among others is the token that
the base says alone. Two things make it so: grouped heads are folded into one product for all rows,
and sums, over channels and over values, run in pieces of fixed length (a product over more terms
than that is cut up by its shape, and then the rounding depends on that). It is also several times
as fast as torch's own attention for a few rows in float32. Many rows go in tiles, whose scores stay
in the processor's cache; and a tile of causal rows does not look at the keys behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.models.layers import attend

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from flash_attn import flash_attn_func as _imported
except ImportError:  # an extra, for CUDA alone
    _imported = None

#: flash-attn's attention; None does without.
flash_attn_func: Callable[..., Any] | None = _imported

#: Terms of one product over channels: Intel's processors with AVX-512 sum no more in one order.
CHANNELS_AT_A_TIME = 64
#: Terms of one product over values. AMD's processors sum up to 384 of them in one order with
#: AVX-512, and up to 192 with AVX2.
VALUES_AT_A_TIME = 128
#: Rows of one tile. Encoding 2,000 tokens took 4.4 s at once, 2.5 s so and 2.7 s with half or twice
#: as many (Zen 4, two cores).
ROWS_AT_A_TIME = 64
#: Products with fewer keys, or a last piece's sum over fewer values, run in other code, which
#: rounds otherwise; so there are never fewer.
FEWEST_KEYS = 16
#: Likewise of fewer rows, and a row alone is fewer where each head has keys of its own.
FEWEST_FOLDED = 4


def attend_rows(
    queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor, *, n_causal: int
) -> Tensor:
    """Scaled dot-product attention with grouped heads.

    Args:
        queries: [n, n_heads, head_dim]; their own keys are the last n.
        keys: [n_keys, n_kv_heads, head_dim].
        values: as keys.
        allowed: [n, n_keys] additive mask, in the dtype of the queries.
        n_causal: so many of the first rows see every key up to their own, and none behind it.

    Returns:
        [n, n_heads * head_dim].
    """
    if queries.device.type != "cpu":
        # Its kernels take half precision alone.
        is_half = queries.dtype in (torch.bfloat16, torch.float16)
        if queries.is_cuda and is_half and n_causal == len(queries) and flash_attn_func is not None:
            mixed: Tensor = flash_attn_func(queries[None], keys[None], values[None], causal=True)
            return mixed[0].flatten(1)
        return attend(queries, keys, values, allowed)
    if len(queries) <= ROWS_AT_A_TIME:
        return _attend_exactly(queries, keys, values, allowed)
    n_kept = len(keys) - len(queries)
    mixed_rows = []
    for start in range(0, len(queries), ROWS_AT_A_TIME):
        stop = start + ROWS_AT_A_TIME
        rows, seen = slice(start, stop), slice(n_kept + stop if stop <= n_causal else None)
        tile = _attend_exactly(queries[rows], keys[seen], values[seen], allowed[rows, seen])
        mixed_rows.append(tile)
    return torch.cat(mixed_rows)


def _attend_exactly(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
    if 0 < len(keys) < FEWEST_KEYS:
        n_more = FEWEST_KEYS - len(keys)
        keys, values = (functional.pad(each, (0, 0, 0, 0, 0, n_more)) for each in (keys, values))
        allowed = functional.pad(allowed, (0, n_more), value=float("-inf"))
    n_asked, n_groups = len(queries), keys.shape[1]
    n_more = max(0, -(-FEWEST_FOLDED * n_groups // queries.shape[1]) - n_asked)
    if n_more:
        queries = functional.pad(queries, (0, 0, 0, 0, 0, n_more))
        allowed = functional.pad(allowed, (0, 0, 0, n_more))
    n_rows, n_heads, head_dim = queries.shape
    n_folded = n_rows * (n_heads // n_groups)
    # Scores are the largest thing here: the queries are scaled instead of them.
    folded = (queries * head_dim**-0.5).view(n_rows, n_groups, -1, head_dim).transpose(0, 1)
    scores = _scores(folded.reshape(n_groups, n_folded, head_dim), keys.permute(1, 2, 0))
    scores.view(n_groups, n_rows, -1, len(keys)).add_(allowed[:, None])
    weights = scores.softmax(-1)
    mixed: Tensor | None = None
    for start in range(0, len(keys), VALUES_AT_A_TIME):
        piece = slice(start, start + VALUES_AT_A_TIME)
        terms, of = weights[..., piece], values[piece].transpose(0, 1)
        if (n_short := FEWEST_KEYS - terms.shape[-1]) > 0:
            terms, of = functional.pad(terms, (0, n_short)), functional.pad(of, (0, 0, 0, n_short))
        part = torch.bmm(terms, of)
        mixed = part if mixed is None else mixed + part
    if mixed is None:
        raise ValueError("there is nothing to attend to")
    rows = mixed.view(n_groups, n_rows, -1, head_dim).transpose(0, 1).reshape(n_rows, -1)
    return rows[:n_asked]


def _scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Return [n_groups, n_folded, n_keys] of queries [.., n_folded, d] and keys [.., d, n_keys]."""
    n_channels = queries.shape[-1]
    scores: Tensor | None = None
    for start in range(0, n_channels, CHANNELS_AT_A_TIME):
        piece = slice(start, start + CHANNELS_AT_A_TIME)
        part = torch.bmm(queries[..., piece], keys[:, piece])
        scores = part if scores is None else scores.add_(part)
    if scores is None:
        raise ValueError("heads have no channels")
    return scores
