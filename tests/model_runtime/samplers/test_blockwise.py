"""Tests of block diffusion's commit rules."""

from __future__ import annotations

import pytest
import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.choose import clean_logits
from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.blockwise import Blockwise


@pytest.mark.parametrize("kind", ["sequential", "static", "dynamic"])
def test_a_quota_beyond_the_masks_ends_with_the_masks(kind: str) -> None:
    """Where a block of eight has two masks and a quota of four, given tokens stay."""
    rule = Blockwise.from_mapping({"kind": kind, "block_length": 8})
    canvas = canvas_of([1, 2, 3, 4, 5, 6, MASK, MASK])
    done = run(rule, canvas, Budget(2))
    assert done.n_forwards == 1
    assert canvas.token_ids[:6].tolist() == [1, 2, 3, 4, 5, 6]


def test_sequential_goes_from_the_left() -> None:
    """Each step commits the first masks, whatever their confidence."""
    done = run(
        Blockwise.from_mapping({"kind": "sequential"}), canvas_of([3, *[MASK] * 6]), Budget(3)
    )
    assert [token_ids.index(MASK) for token_ids in done.trajectory[:-1]] == [3, 5]


def test_dynamic_commits_all_that_is_sure() -> None:
    """A sure denoiser needs one step, an unsure one all of them."""
    for scale, n_forwards in ((40.0, 1), (0.1, 6)):
        done = run(
            Blockwise.from_mapping({}),
            canvas_of([3, *[MASK] * 6]),
            Budget(6),
            denoiser=TableDenoiser(VOCAB_SIZE, MASK, scale=scale, seed=4),
        )
        assert done.n_forwards == n_forwards


def test_one_candidate_is_not_certain() -> None:
    """Confidence is measured before top-k: a single candidate would be certain everywhere."""
    logits = clean_logits(torch.zeros(3, VOCAB_SIZE), MASK)
    rule = Blockwise.from_mapping({"top_k": 1, "temperature": 1.0})
    assert isinstance(rule, Blockwise)
    _, confidence = rule.draw(logits, torch.Generator().manual_seed(0))
    assert confidence.tolist() == pytest.approx([1 / (VOCAB_SIZE - 1)] * 3)
