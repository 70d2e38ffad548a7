"""Tests of LLaDA's and Fast-dLLM's commit rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.denoise import Budget
from model_runtime.decoding.schedule import quota
from model_runtime.errors import BadRequest
from model_runtime.samplers.low_confidence import LowConfidence


def masks_left(n_masks: int, budget: Budget, **params: object) -> list[int]:
    """Fill a canvas of masks between two given tokens and return how many each step left."""
    done = run(LowConfidence.from_mapping(params), canvas_of([3, *[MASK] * n_masks, 4]), budget)
    return [token_ids.count(MASK) for token_ids in done.trajectory]


@given(st.integers(0, 60), st.integers(1, 70))
def test_the_quota_is_the_published_schedule(n_masks: int, n_steps: int) -> None:
    """Asked step by step, the quota gives floor(M/S), plus one in the first M mod S steps."""
    left, quotas = n_masks, []
    for step_index in range(n_steps):
        quotas.append(quota(left, n_steps - step_index))
        left -= quotas[-1]
    share, rest = divmod(n_masks, n_steps)
    assert quotas == [share + (index < rest) for index in range(n_steps)]


def test_steps_share_the_masks() -> None:
    """Ten masks in three steps go four, three, three."""
    assert masks_left(10, Budget(n_steps=3)) == [6, 3, 0]


def test_a_threshold_of_zero_commits_all_at_once() -> None:
    """Every token passes, so one forward is enough."""
    assert masks_left(10, Budget(), threshold=0.0) == [0]


def test_an_unreachable_bound_commits_the_best_one() -> None:
    """Where no token passes, the most probable one is committed all the same."""
    assert masks_left(4, Budget(), factor=0.0) == [3, 2, 1, 0]


def test_a_block_is_finished_before_the_next() -> None:
    """Two blocks of five in one step each."""
    assert masks_left(10, Budget(n_steps=2, block_length=5)) == [5, 0]


def test_temperature_draws_other_tokens() -> None:
    """At temperature 0 seeds agree on a table; above it they part."""
    cold, warm = (
        {
            tuple(
                run(
                    LowConfidence.from_mapping({"temperature": t}),
                    canvas_of([3, MASK, MASK, 4]),
                    seed=seed,
                    denoiser=TableDenoiser(VOCAB_SIZE, MASK),
                ).trajectory[-1]
            )
            for seed in range(8)
        }
        for t in (0.0, 3.0)
    )
    assert len(cold) == 1
    assert len(warm) > 1


def test_two_bounds_at_once_are_refused() -> None:
    """Threshold and factor answer the same question."""
    with pytest.raises(BadRequest, match="not both"):
        LowConfidence.from_mapping({"threshold": 0.9, "factor": 1.0})
