"""Tests of filling and correcting in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.canvas import Prediction
from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.token_edit import TokenEdit

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, Query


class Opinions(TableDenoiser):
    """Wants a five everywhere; with `fickle`, anything but what stands there."""

    def __init__(self, *, fickle: bool = False) -> None:
        super().__init__(VOCAB_SIZE, MASK)
        self.fickle = fickle

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Be sure of it."""
        del cache
        self.queries.append(query)
        tokens = torch.full_like(query.positions, 5)
        if self.fickle:
            tokens = torch.where(canvas.token_ids[query.positions] == 5, 6, 5)
        return Prediction("logits", 20.0 * torch.nn.functional.one_hot(tokens, VOCAB_SIZE).float())


def test_a_wrong_token_is_corrected_and_a_given_one_is_not() -> None:
    """Open tokens give way to what the model is sure of."""
    canvas = canvas_of([1, 2, MASK, 3, 4], open_positions=[1])
    run(TokenEdit.from_mapping({}), canvas, Budget(9), denoiser=Opinions())
    assert canvas.token_ids.tolist() == [1, 5, 5, 3, 4]


def test_without_an_edit_threshold_nothing_is_corrected() -> None:
    """Then only masks are asked about, and the last one ends the block."""
    canvas, denoiser = canvas_of([1, 2, MASK, 3], open_positions=[1]), Opinions()
    run(TokenEdit.from_mapping({"edit_threshold": None}), canvas, Budget(9), denoiser=denoiser)
    assert canvas.token_ids.tolist() == [1, 2, 5, 3]
    assert [query.positions.tolist() for query in denoiser.queries] == [[2]]


def test_correcting_ends_where_nothing_changes() -> None:
    """One step fills, one more finds nothing to correct."""
    done = run(
        TokenEdit.from_mapping({}), canvas_of([1, MASK, MASK]), Budget(9), denoiser=Opinions()
    )
    assert done.n_forwards == 2


def test_a_model_that_never_agrees_with_itself_is_stopped() -> None:
    """After so many steps without a mask, or when the budget is spent."""
    rule = TokenEdit.from_mapping({"max_post_steps": 3})
    for n_steps, n_forwards in ((20, 4), (2, 2)):
        done = run(
            rule, canvas_of([1, MASK, MASK]), Budget(n_steps), denoiser=Opinions(fickle=True)
        )
        assert done.n_forwards == n_forwards


def test_a_penalty_keeps_a_token_from_repeating() -> None:
    """The token before counts as it stood before the step."""
    canvas = canvas_of([5, MASK])
    rule = TokenEdit.from_mapping({"penalty": 25.0, "edit_threshold": None})
    run(rule, canvas, denoiser=Opinions())
    assert canvas.token_ids[1] != 5
