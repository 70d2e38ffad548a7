"""Tests of LLaDA's and Fast-dLLM's commit rule."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from support.table_denoiser import NoCache, TableDenoiser

from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, Step, denoise
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.low_confidence import LowConfidence

MASK = 11


def fill(n_masks: int, budget: Budget, **params: object) -> list[int]:
    """Fill a canvas of masks between two given tokens and return how many each step left."""
    canvas = Canvas(
        torch.tensor([3, *[MASK] * n_masks, 4]),
        torch.tensor([True, *[False] * n_masks, True]),
        MASK,
    )
    left: list[int] = []

    def note(step: Step) -> None:
        left.append(int((step.canvas.token_ids == MASK).sum()))

    denoise(
        TableDenoiser(12, MASK),
        LowConfidence.from_mapping(params),
        NoCache(),
        canvas,
        budget,
        torch.Generator().manual_seed(0),
        on_step=note,
    )
    return left


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
    assert fill(10, Budget(n_steps=3)) == [6, 3, 0]


def test_a_threshold_of_zero_commits_all_at_once() -> None:
    """Every token passes, so one forward is enough."""
    assert fill(10, Budget(), threshold=0.0) == [0]


def test_an_unreachable_threshold_commits_the_best_one() -> None:
    """Where no token passes, the most probable one is committed all the same."""
    assert fill(4, Budget(), factor=0.0) == [3, 2, 1, 0]


def test_a_block_is_finished_before_the_next() -> None:
    """Two blocks of five in one step each."""
    assert fill(10, Budget(n_steps=2, block_length=5)) == [5, 0]
