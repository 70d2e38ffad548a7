"""Tests of remasking."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from support.denoising import MASK, canvas_of, run

from model_runtime.decoding.denoise import Budget
from model_runtime.errors import BadRequest
from model_runtime.samplers.remdm import Remdm, RemdmParams, alphas, remask_chance

EAGER: dict[str, dict[str, object]] = {
    "cap": {"eta": 1.0},
    "rescale": {"eta": 1.0},
    "conf": {},
    "loop": {"eta": 0.9},
}


@pytest.mark.parametrize("kind", EAGER)
def test_settled_tokens_are_masked_again_and_come_back(kind: str) -> None:
    """Masks rise again in the middle of a run, and none is left at its end."""
    n_rises = 0
    for seed in range(10):
        rule = Remdm.from_mapping({"kind": kind, **EAGER[kind]})
        done = run(rule, canvas_of([3, *[MASK] * 8, 4]), Budget(30), seed=seed)
        left = [token_ids.count(MASK) for token_ids in done.trajectory]
        n_rises += sum(later > earlier for earlier, later in pairwise(left))
        assert left[-1] == 0
        assert done.n_forwards <= 30
    assert n_rises > 0


@pytest.mark.parametrize("n_steps", [1, 2, 3, 4])
def test_a_loop_of_few_steps_still_ends(n_steps: int) -> None:
    """Even where the last step begins inside the loop, which remasks."""
    rule = Remdm.from_mapping({"kind": "loop", "eta": 0.9, "t_off": 0.0})
    canvas = canvas_of([3, *[MASK] * 8, 4])
    run(rule, canvas, Budget(n_steps))
    assert MASK not in canvas.token_ids.tolist()


def test_before_any_token_is_revealed_none_is_masked() -> None:
    """The softmax over nothing is no probability, and must not leak into the draw."""
    params = RemdmParams(kind="conf")
    unknown = torch.full((3,), torch.nan)
    sigma = remask_chance(params, 0.5, 0.6, unknown, torch.tensor([True, True, False]))
    assert sigma.tolist() == [0.0, 0.0, 0.0]


def test_unsure_tokens_are_masked_more() -> None:
    """Confidence shares the bound between settled tokens; masks have no part in it."""
    revealed_with = torch.tensor([0.9, 0.1, torch.nan, 0.5])
    masked = torch.tensor([False, False, True, False])
    sigma = remask_chance(RemdmParams(kind="conf"), 0.5, 0.6, revealed_with, masked)
    assert float(sigma.sum()) == pytest.approx((1 - 0.6) / 0.5)
    assert sigma[1] > sigma[3] > sigma[0] > sigma[2] == 0


@pytest.mark.parametrize("kind", EAGER)
def test_clean_tokens_never_grow_fewer_on_average(kind: str) -> None:
    """The share of clean tokens goes from none to all, whatever is masked on the way."""
    params = RemdmParams(kind=kind)  # type: ignore[arg-type]
    now = [alphas(params, left / 40, (left - 1) / 40) for left in range(40, 0, -1)]
    assert now[0][0] == 0
    assert now[-1][1] == 1
    assert all(alpha <= next_alpha for alpha, next_alpha in now)


def test_a_loop_that_ends_before_it_begins_is_refused() -> None:
    """The message says what must hold."""
    with pytest.raises(BadRequest, match="t_off < t_on"):
        Remdm.from_mapping({"t_on": 0.1, "t_off": 0.5})
