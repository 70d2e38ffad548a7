"""Tests of path planning."""

from __future__ import annotations

from support.denoising import MASK, canvas_of, run

from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.p2 import P2


def test_the_masks_shrink_by_plan() -> None:
    """After step i of S, floor(N (1 - (i + 1)/S)) positions are masks."""
    done = run(P2.from_mapping({}), canvas_of([3, *[MASK] * 8, 4]), Budget(4))
    assert [token_ids.count(MASK) for token_ids in done.trajectory] == [6, 4, 2, 0]


def test_filled_tokens_are_masked_again() -> None:
    """In some run a position that held a token is a mask later."""
    n_remasked = 0
    for seed in range(10):
        done = run(P2.from_mapping({}), canvas_of([3, *[MASK] * 8, 4]), Budget(8), seed=seed)
        for earlier, later in zip(done.trajectory, done.trajectory[1:], strict=False):
            n_remasked += sum(
                was != MASK and now == MASK for was, now in zip(earlier, later, strict=True)
            )
    assert n_remasked > 0


def test_a_rewrite_keeps_its_strength() -> None:
    """Never more masks than there were at the start, though any open token may be one."""
    canvas = canvas_of([3, 7, 7, 7, MASK, MASK, 7, 4], open_positions=[1, 2, 3, 6])
    done = run(P2.from_mapping({}), canvas, Budget(4))
    assert max(token_ids.count(MASK) for token_ids in done.trajectory) <= 2
