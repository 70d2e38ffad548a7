"""Tests of Eso-LM's two phases."""

from __future__ import annotations

from itertools import chain

import pytest
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.eso import Eso

CANVAS = [3, MASK, MASK, MASK, 4, MASK, MASK, MASK, 5]
MASKED = [1, 2, 3, 5, 6, 7]


def asked(alpha_0: float, n_steps: int | None = None, seed: int = 0) -> TableDenoiser:
    """Fill a canvas and return the denoiser, which keeps the queries."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK)
    rule = Eso.from_mapping({"alpha_0": alpha_0})
    run(rule, canvas_of(CANVAS), Budget(n_steps), seed=seed, denoiser=denoiser)
    return denoiser


def test_without_diffusion_it_goes_from_left_to_right() -> None:
    """At alpha_0 = 0 each forward reveals the first mask."""
    assert [query.positions.tolist() for query in asked(0.0).queries] == [[p] for p in MASKED]


def test_with_diffusion_alone_the_order_is_random() -> None:
    """At alpha_0 = 1 seeds reveal different masks first, and several at once."""
    runs = [[q.positions.tolist() for q in asked(1.0, 6, seed).queries] for seed in range(6)]
    assert all(sorted(chain.from_iterable(run_)) == MASKED for run_ in runs)
    assert len({tuple(run_[0]) for run_ in runs}) > 1
    assert min(len(run_) for run_ in runs) < 6


@pytest.mark.parametrize("alpha_0", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_steps", [1, 3, 6, 30])
def test_rows_see_what_was_revealed_before(alpha_0: float, n_steps: int) -> None:
    """The visible part of the order only grows, by what the step before revealed."""
    for seed in range(5):
        seen = [0, 4, 8]
        order = None
        for query in asked(alpha_0, n_steps, seed).queries:
            assert query.order is not None
            assert query.visible is not None
            assert order is None or order == query.order.tolist()
            order = query.order.tolist()
            assert set(query.visible.tolist()) == {len(seen)}
            assert order[: len(seen)] == seen
            seen += query.positions.tolist()
        assert sorted(seen) == list(range(len(CANVAS)))


def test_the_tail_goes_from_left_to_right() -> None:
    """Whatever the diffusion phase leaves is revealed one by one, in ascending order."""
    queries = [query.positions.tolist() for query in asked(0.5, seed=3).queries]
    tail = [positions[0] for positions in queries[-2:]]
    assert all(len(positions) == 1 for positions in queries[-2:])
    assert tail == sorted(tail)
