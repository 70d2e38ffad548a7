"""Draft and verify: what drafts are for, and that they never show in the text."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.canvas import Block
from model_runtime.decoding.first_text import FirstText
from model_runtime.samplers.hybrid import Hybrid, HybridParams, Progress

CANVAS = [1, 2, 3, *[MASK] * 12]


@given(
    seed=st.integers(0, 20),
    n_drafts=st.integers(0, 5),
    n_repeated=st.integers(0, 2),
    shares=st.tuples(*[st.floats(0, 1)] * 2),
    follows=st.floats(0, 4),
)
def test_no_setting_changes_the_text(
    seed: int, n_drafts: int, n_repeated: int, shares: tuple[float, float], follows: float
) -> None:
    """At temperature 0 it is what the base says token by token; only the forwards differ."""
    params = HybridParams(
        n_drafts=n_drafts,
        n_repeated=n_repeated,
        threshold=shares[0],
        least_outcome=shares[1],
        follows=follows,
    )
    alone = run(Hybrid(HybridParams(n_drafts=0, n_repeated=0)), canvas_of(CANVAS), seed=seed)
    drafted = run(Hybrid(params), canvas_of(CANVAS), seed=seed)
    assert drafted.trajectory[-1] == alone.trajectory[-1]
    assert drafted.n_forwards <= alone.n_forwards == 12


@given(chances=st.lists(st.floats(0, 1), max_size=6))
def test_some_outcome_of_a_check_comes(chances: list[float]) -> None:
    """The chances of all that it may accept sum up to 1."""
    block = Block(torch.tensor([MASK]), torch.tensor([0]), torch.tensor([False]), MASK, VOCAB_SIZE)
    state = Progress(block, torch.Generator(), 1, 0, 1, FirstText([]), chances=chances)
    outcomes = [state.outcome(n_accepted) for n_accepted in range(len(chances) + 1)]
    assert sum(outcomes) == pytest.approx(1)


def test_nothing_is_drafted_behind_what_will_hardly_come() -> None:
    """So there are fewer rows; where no outcome is likely enough, only checks."""
    n_rows = []
    for least_outcome in (0.0, 0.3, 1.0):
        denoiser = TableDenoiser(VOCAB_SIZE, MASK, seed=7)
        params = HybridParams(least_outcome=least_outcome, n_repeated=0)
        done = run(Hybrid(params), canvas_of(CANVAS), denoiser=denoiser)
        n_rows.append(sum(len(query.positions) for query in denoiser.queries) / done.n_forwards)
    assert n_rows[0] > n_rows[1] > n_rows[2]
