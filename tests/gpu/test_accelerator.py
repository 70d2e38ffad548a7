"""What only an accelerator can show; skipped where torch finds none."""

from __future__ import annotations

import pytest
import torch
from support.tiny import VARIANTS

from model_runtime.bench import gpu
from model_runtime.bench.random_models import random_base
from model_runtime.devices import choose_device, choose_precision, free_bytes
from model_runtime.models import attention
from model_runtime.samplers.hybrid import HybridParams

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.accelerator.is_available(), reason="there is no accelerator"),
]


@pytest.fixture
def device() -> torch.device:
    """The accelerator that `auto` takes."""
    return choose_device()


def test_logits_are_those_of_the_processor(device: torch.device) -> None:
    """To the rounding of half precision."""
    with torch.inference_mode():
        (row,) = gpu._equality(device)
    assert row["within tolerance"] == "True"


def test_hybrid_is_greedy(device: torch.device) -> None:
    """Drafts change how many forwards a fill takes, hardly ever a token of it.

    Sums over other numbers of rows may round otherwise there, so one text of eight may differ.
    """
    with torch.inference_mode():
        (row,) = gpu._hybrid(device)
    assert row["the same text"] >= 7


def test_captured_steps_say_what_plain_ones_say(device: torch.device) -> None:
    """Replayed as launched; where nothing can be recorded, the reason is told.

    Padded products may round otherwise, so one text of eight may differ.
    """
    with torch.inference_mode():
        (row,) = gpu._captured_texts(device)
    assert row["the same text"] >= 7
    assert (device.type == "cuda") == (row["given up"] == "")


def test_every_pairing_runs(device: torch.device) -> None:
    """Each sampler and cache of the largest families."""
    with torch.inference_mode():
        assert len(list(gpu._pairings(device))) > len(VARIANTS)


def test_flash_attention_is_attention(device: torch.device) -> None:
    """The same hidden rows with and without it."""
    if device.type != "cuda" or attention.flash_attn_func is None:
        pytest.skip("flash-attn is not installed")
    denoiser, prompt = random_base("0.5b", device, torch.bfloat16, n_layers=4), gpu.prompt_of(200)
    flash, rows = attention.flash_attn_func, []
    try:
        with torch.inference_mode():
            for used in (flash, None):
                attention.flash_attn_func = used
                rows.append(denoiser.encode(prompt, denoiser.new_cache()).float())
    finally:
        attention.flash_attn_func = flash
    assert (rows[0] - rows[1]).abs().max() < 0.1 * rows[0].std()


def test_memory_is_asked_before_loading(device: torch.device) -> None:
    """What is free is known, and a small model fits."""
    free = free_bytes(device)
    assert free is not None
    assert free > 0
    config = random_base("0.5b", torch.device("cpu"), torch.float32, n_layers=1).model.config
    assert choose_precision("small", config, device, "auto", 3072) in ("bf16", "fp16")


def test_drafts_are_told_apart(device: torch.device) -> None:
    """A repeat of the prompt is drafted, and takes fewer forwards than tokens."""
    denoiser = random_base("0.5b", device, torch.bfloat16, n_layers=2)
    tokens, n_forwards = gpu.greedy(denoiser, gpu.prompt_of(300), HybridParams(from_canvas=False))
    assert len(tokens) == gpu.N_TOKENS
    assert n_forwards <= gpu.N_TOKENS
