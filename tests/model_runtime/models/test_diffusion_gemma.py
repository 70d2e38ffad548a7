"""DiffusionGemma's block: the context before it, given tokens in it, the last logits."""

from __future__ import annotations

import pytest
import torch
from support import tiny

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.errors import BadRequest

START, END, LENGTH = 5, 11, 15


def make_canvas(seed: int = 0) -> Canvas:
    """Make a canvas of random tokens, given on both sides of an open block."""
    token_ids = torch.randint(0, 60, (LENGTH,), generator=torch.Generator().manual_seed(seed))
    given = torch.ones(LENGTH, dtype=torch.bool)
    given[START:END] = False
    return Canvas(token_ids, given, None)


def predict(canvas: Canvas, last: torch.Tensor | None = None, start: int = START) -> torch.Tensor:
    """Ask about the block."""
    query = Query(torch.arange(start, END), self_conditioning=last)
    return tiny.tiny("diffusion_gemma").predict(canvas, query, NoCache()).rows


def test_context_is_read_anew_when_it_changes() -> None:
    """What was read for one canvas is not used for another, and growing it is reading on."""
    rows = predict(make_canvas(1))

    other = predict(make_canvas(2))
    grown = predict(make_canvas(1), start=START + 2)

    assert torch.equal(predict(make_canvas(1)), rows)
    assert not torch.allclose(other, rows)
    predict(make_canvas(3))
    torch.testing.assert_close(predict(make_canvas(1), start=START + 2), grown, atol=1e-4, rtol=0)


def test_given_tokens_behind_the_block_are_seen() -> None:
    """A suffix changes the rows: it is part of what the decoder sees both ways."""
    canvas = make_canvas()
    rows = predict(canvas)

    canvas.token_ids[LENGTH - 1] = (canvas.token_ids[LENGTH - 1] + 1) % 60

    assert not torch.allclose(predict(canvas), rows)


def test_the_last_logits_are_conditioned_on() -> None:
    """They change the rows, and the sharper they are the more they say."""
    canvas = make_canvas()
    rows = predict(canvas)

    fed_back = predict(canvas, rows)

    assert not torch.allclose(fed_back, rows)
    assert not torch.allclose(predict(canvas, 10 * rows), fed_back)


def test_given_tokens_are_conditioned_on_as_certain() -> None:
    """What stands behind the block is fed back as itself, whatever the last logits said there."""
    family, canvas = tiny.tiny("diffusion_gemma"), make_canvas()
    last = predict(canvas)

    rows = predict(canvas, last)

    certain = torch.full((LENGTH - END, family.vocab_size), -1e4)
    certain.scatter_(1, canvas.token_ids[END:, None], 1e4)
    _, past = family.encode(canvas.token_ids[None, :START])
    block = canvas.token_ids[None, START:]
    expected = family.forward(block, past, None, torch.cat((last, certain))[None])
    torch.testing.assert_close(rows, expected[0, : END - START], atol=1e-4, rtol=0)


def test_a_block_needs_something_before_it() -> None:
    """The encoder has to have read a token."""
    with pytest.raises(BadRequest, match="before the first open one"):
        predict(make_canvas(), start=0)
