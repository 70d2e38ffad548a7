"""Tests of the fixed random order."""

from __future__ import annotations

import pytest
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.permutation import Permutation


@pytest.mark.parametrize(("n_steps", "n_forwards"), [(1, 1), (3, 3), (7, 7), (100, 7)])
def test_each_mask_is_asked_about_once(n_steps: int, n_forwards: int) -> None:
    """The steps are shared over the order; a hundred small steps are never more than the masks."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK)
    done = run(
        Permutation.from_mapping({}),
        canvas_of([3, *[MASK] * 7, 4]),
        Budget(n_steps),
        denoiser=denoiser,
    )
    asked = [position for query in denoiser.queries for position in query.positions.tolist()]
    assert sorted(asked) == list(range(1, 8))
    assert done.n_forwards == n_forwards
    assert all(query.visible is None for query in denoiser.queries)


def test_the_seed_draws_the_order() -> None:
    """Different seeds go through the masks differently."""
    orders = set()
    for seed in range(5):
        denoiser = TableDenoiser(VOCAB_SIZE, MASK)
        run(Permutation.from_mapping({}), canvas_of([3, *[MASK] * 7]), seed=seed, denoiser=denoiser)
        orders.add(tuple(int(query.positions) for query in denoiser.queries))
    assert len(orders) > 1
