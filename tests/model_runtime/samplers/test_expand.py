"""Tests of canvases that grow and shrink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.canvas import Prediction
from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.expand import Expand

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, Query

EOS, GROW = 9, 10
IDS: dict[str, object] = {"eos_id": EOS, "expand_id": GROW}


class Script(TableDenoiser):
    """Says the same tokens, best first, at every position; surer to the left."""

    def __init__(self, *tokens: int) -> None:
        super().__init__(VOCAB_SIZE, MASK)
        self.tokens = tokens

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Rank the tokens."""
        del canvas, cache
        rows = torch.zeros(len(query.positions), VOCAB_SIZE)
        for rank, token in enumerate(self.tokens):
            rows[:, token] = 20.0 - rank
        return Prediction("logits", rows - rows * query.positions[:, None] / 100)


def test_expanding_ends_at_the_longest_canvas() -> None:
    """A model that only wants more gets as much as is allowed, then its second choice."""
    canvas = canvas_of([3, MASK, 4])
    run(
        Expand.from_mapping({**IDS, "max_tokens": 5}),
        canvas,
        Budget(40),
        denoiser=Script(GROW, 7),
    )
    assert canvas.token_ids.tolist() == [3, 7, 7, 7, 7, 7, 4]


def test_expansions_are_counted() -> None:
    """The budget of expansions may end before the room does."""
    canvas = canvas_of([3, MASK, 4])
    rule = Expand.from_mapping({**IDS, "max_tokens": 50, "n_expansions": 2})
    run(rule, canvas, Budget(40), denoiser=Script(GROW, 7))
    assert canvas.token_ids.tolist() == [3, 7, 7, 7, 4]


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_several_expansions_of_one_step_share_the_room(n_steps: int) -> None:
    """With few steps many masks are committed at once; the canvas stays within its bound."""
    canvas = canvas_of([3, *[MASK] * 6, 4])
    rule = Expand.from_mapping({**IDS, "max_tokens": 8})
    run(rule, canvas, Budget(n_steps), denoiser=Script(GROW, 7))
    assert canvas.length <= 10
    assert MASK not in canvas.token_ids.tolist()
    assert GROW not in canvas.token_ids.tolist()


def test_end_of_text_deletes() -> None:
    """All of a span may go; what is given around it moves together."""
    canvas = canvas_of([3, MASK, MASK, 4, MASK, 5])
    run(Expand.from_mapping(IDS), canvas, Budget(40), denoiser=Script(EOS))
    assert canvas.token_ids.tolist() == [3, 4, 5]
    assert bool(canvas.given.all())


def test_a_given_end_of_text_is_no_end() -> None:
    """Neither one in the prefix nor one in another span empties what stands to its right."""
    rule = Expand.from_mapping({**IDS, "pad_eos_right": True})
    canvas = canvas_of([EOS, MASK, MASK, 4])
    run(rule, canvas, denoiser=Script(7))
    assert canvas.token_ids.tolist() == [EOS, 7, 7, 4]


def test_an_end_of_text_ends_its_own_span() -> None:
    """The masks to its right go at once, those of the next span stay."""
    rule = Expand.from_mapping({**IDS, "pad_eos_right": True})
    canvas = canvas_of([3, MASK, MASK, MASK, 4, MASK, 5])

    class EndThenSeven(Script):
        def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
            self.tokens = (EOS,) if canvas.length == 7 else (7,)
            return super().predict(canvas, query, cache)

    done = run(rule, canvas, denoiser=EndThenSeven())
    assert canvas.token_ids.tolist() == [3, 4, 7, 5]
    assert done.n_forwards == 2


def test_blocks_behind_a_growing_one_move_with_it() -> None:
    """The second span is still found after the first has grown."""
    canvas = canvas_of([3, MASK, 4, MASK, 5])
    rule = Expand.from_mapping({**IDS, "max_tokens": 3, "n_expansions": 2})
    run(rule, canvas, Budget(40, block_length=1), denoiser=Script(GROW, 7))
    assert canvas.token_ids.tolist() == [3, 7, 7, 7, 4, 7, 7, 7, 5]


def test_without_the_tokens_it_fills_like_any_other() -> None:
    """A family that has neither token keeps its length."""
    canvas = canvas_of([3, MASK, MASK, 4])
    run(Expand.from_mapping({}), canvas, denoiser=Script(EOS))
    assert canvas.token_ids.tolist() == [3, EOS, EOS, 4]


def test_all_that_is_sure_is_committed_at_once() -> None:
    """With a threshold a model that is sure of every mask needs one step; without, one for each."""
    for values, n_forwards in (({"threshold": 0.9}, 1), ({"n_at_once": 2}, 2), ({}, 4)):
        canvas = canvas_of([3, MASK, MASK, MASK, MASK, 4])
        rule = Expand.from_mapping({**IDS, **values})
        assert run(rule, canvas, Budget(40), denoiser=Script(7)).n_forwards == n_forwards
        assert canvas.token_ids.tolist() == [3, 7, 7, 7, 7, 4]


def test_sure_expansions_double_a_canvas_in_one_step() -> None:
    """They are committed like any other token, as far as there is room."""
    canvas = canvas_of([3, MASK, MASK, 4])
    rule = Expand.from_mapping({**IDS, "threshold": 0.5, "max_tokens": 4})
    steps = run(rule, canvas, Budget(40), denoiser=Script(GROW, 7)).trajectory
    assert steps[0] == [3, MASK, MASK, MASK, MASK, 4]
    assert canvas.token_ids.tolist() == [3, 7, 7, 7, 7, 4]
