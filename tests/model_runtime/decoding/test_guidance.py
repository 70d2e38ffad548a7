"""Tests of classifier-free guidance."""

from __future__ import annotations

import pytest
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.guidance import GuidedDenoiser
from model_runtime.errors import UnsupportedPairing
from model_runtime.samplers.low_confidence import LowConfidence


def trajectory(scale: float | None) -> list[list[int]]:
    """Fill a canvas with guidance, or, for None, without."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, seed=2)
    guided = denoiser if scale is None else GuidedDenoiser(denoiser, scale)
    canvas = canvas_of([3, *[MASK] * 8, 4])
    return run(LowConfidence.from_mapping({}), canvas, denoiser=guided).trajectory


def test_scale_zero_changes_nothing() -> None:
    """The guided logits are the plain ones then."""
    assert trajectory(0.0) == trajectory(None)


def test_guidance_leans_towards_the_context() -> None:
    """At some scale the context has its way with a token it would not have had."""
    assert trajectory(4.0) != trajectory(None)


def test_a_family_without_masks_is_refused() -> None:
    """There is nothing to put in the place of the context."""
    with pytest.raises(UnsupportedPairing, match="table"):
        GuidedDenoiser(TableDenoiser(VOCAB_SIZE, None), 1.0)
