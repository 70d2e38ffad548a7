"""What is run on a real accelerator, rehearsed on a pretended one at small sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from support.pretended import pretended

from model_runtime.bench import gpu, gpu_texts, gpu_times, made, random_models
from model_runtime.bench.base import Setup
from model_runtime.models import attention
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

SMALL = made.Size(2, 64, 4, 2, 96, is_tied=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make everything small, and compute on one thread."""
    for size in made.SIZES:
        monkeypatch.setitem(made.SIZES, size, SMALL)
    monkeypatch.setattr(random_models, "_VOCABULARY", 2000)
    wide = {
        "vocab_size": 600, "embedding_size": 600, "hidden_size": 64, "d_model": 64,
        "num_attention_heads": 4, "n_heads": 4, "num_key_value_heads": 2, "n_kv_heads": 4,
        "intermediate_size": 96, "mlp_hidden_size": 96, "num_hidden_layers": 2, "n_layers": 2,
        "mask_token_id": 599,
    }  # fmt: skip
    for name, (family, values) in random_models._FAMILIES.items():
        small = values | {key: wide[key] for key in values.keys() & wide.keys()}
        monkeypatch.setitem(random_models._FAMILIES, name, (family, small))
    monkeypatch.setattr(gpu_times, "CONTEXTS", (32, 64))
    monkeypatch.setattr(gpu_times, "ROWS", (1, 4))
    monkeypatch.setattr(gpu_times, "STEP_ROWS", (1, 9))
    monkeypatch.setattr(gpu_times, "N_RUNS", 1)
    monkeypatch.setattr(gpu_times, "N_WARM", 0)
    monkeypatch.setattr(gpu_texts, "N_TOKENS", 8)
    monkeypatch.setattr(gpu_times, "N_REQUESTS", (1, 2))
    monkeypatch.setattr(gpu_times, "CANVASES", (32,))
    monkeypatch.setattr(gpu_texts, "N_PROMPTS", 1)
    monkeypatch.setattr(gpu_texts, "CANVAS", 24)
    monkeypatch.setattr(gpu_texts, "N_STEPS", 2)
    monkeypatch.setattr(gpu_texts, "GAP", slice(8, 12))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def flash_attn_func(
    q: Tensor, k: Tensor, v: Tensor, dropout_p: float = 0.0, softmax_scale: float | None = None,
    *, causal: bool = False, window_size: tuple[int, int] = (-1, -1), softcap: float = 0.0,
    alibi_slopes: Tensor | None = None, deterministic: bool = False,
    return_attn_probs: bool = False,
) -> Tensor:  # fmt: skip
    """Stand in for flash-attn: its signature, its refusals, its alignment of a causal mask.

    [batch, n, heads, channels]; fewer key heads serve several query heads; the last query sees
    the last key.
    """
    assert q.dtype in (torch.float16, torch.bfloat16)
    assert q.shape[2] % k.shape[2] == 0
    assert q.shape[3] <= 256
    assert (dropout_p, window_size, softcap, alibi_slopes) == (0.0, (-1, -1), 0.0, None)
    assert not deterministic
    assert not return_attn_probs
    n_each = q.shape[2] // k.shape[2]
    keys, values = (x.repeat_interleave(n_each, dim=2).float() for x in (k, v))
    scale = q.shape[3] ** -0.5 if softmax_scale is None else softmax_scale
    scores = torch.einsum("bqhd,bkhd->bhqk", q.float(), keys) * scale
    if causal:
        n_q, n_k = scores.shape[-2:]
        hidden = torch.ones(n_q, n_k, dtype=torch.bool).triu(n_k - n_q + 1).to(scores.device)
        scores = scores.masked_fill(hidden, float("-inf"))
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), values).to(q.dtype)


def test_the_stand_in_is_attention() -> None:
    """Causal behind kept keys, grouped heads: what torch's own attention gives."""
    rng = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(1, n, heads, 16, generator=rng).bfloat16()
        for n, heads in ((5, 4), (9, 2), (9, 2))
    )
    allowed = torch.ones(5, 9, dtype=torch.bool).tril(4)
    expected = torch.nn.functional.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=allowed, enable_gqa=True
    ).transpose(1, 2)
    found = flash_attn_func(q, k, v, causal=True)
    assert (found.float() - expected.float()).abs().max() < 0.02


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_bench_of_an_accelerator_runs(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of it, to its last row: the first real run finds nothing new in it."""
    monkeypatch.setattr(attention, "flash_attn_func", flash_attn_func)
    # torchao's kernels are a device's own.
    monkeypatch.setattr(random_models, "quantize_weight", lambda weight, _bits: weight)
    with pretended(kind):
        setup = Setup(settings=RuntimeSettings(), repeat=1, n_requests=1)
        tables = {table.title: table for table in gpu.measure(setup)}
    notes = [note for table in tables.values() for note in table.notes]
    assert not notes
    assert all(table.rows for table in tables.values())
    (equality,) = tables["Equality with the processor"].rows
    assert equality["within tolerance"] == "True"
    (texts,) = tables["Texts of captured steps"].rows
    assert texts["the same text"] == texts["prompts"]
    assert (texts["given up"] == "") == (kind == "cuda")
    (hybrid,) = tables["Hybrid says what greedy says"].rows
    assert hybrid["the same text"] == hybrid["prompts"]


def test_flash_attention_is_used_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that is encoded goes through it; its rows are those of torch's attention."""
    n_calls = 0

    def counted(*arguments: Any, **named: Any) -> Tensor:
        nonlocal n_calls
        n_calls += 1
        return flash_attn_func(*arguments, **named)

    rows = []
    with pretended() as device, torch.inference_mode():
        denoiser = random_models.random_base("0.5b", device, torch.bfloat16)
        for used in (counted, None):
            monkeypatch.setattr(attention, "flash_attn_func", used)
            rows.append(
                denoiser.encode(gpu_texts.prompt_of(40), denoiser.new_cache()).cpu().float()
            )
    assert n_calls == SMALL.n_layers
    assert (rows[0] - rows[1]).abs().max() < 0.1 * rows[0].std()
