"""Drafts that stood, and those that stayed."""

from __future__ import annotations

import torch
from support.tiny_canvas import ask

from model_runtime.decoding.canvas import Canvas
from model_runtime.modes.drafted import DraftCount

MASK = 9


def canvas(*token_ids: int, committed: int = 0) -> Canvas:
    """Return a canvas whose first positions are settled."""
    made = Canvas(torch.tensor(token_ids), torch.zeros(len(token_ids), dtype=torch.bool), MASK)
    made.committed[:committed] = True
    return made


def test_drafts_are_counted_when_they_are_decided_on() -> None:
    """Kept, replaced, taken away, or still standing; masks and what a step settles are none."""
    count = DraftCount(canvas(MASK, MASK, MASK, MASK, MASK))
    count.see(canvas(1, 2, 3, 4, MASK, committed=1))
    assert (count.n_drafted, count.n_accepted) == (0, 0)
    count.see(canvas(1, 2, 5, MASK, MASK, committed=3))
    assert (count.n_drafted, count.n_accepted) == (3, 1)
    count.see(canvas(1, 2, 5, 6, 7, committed=4))
    count.see(canvas(1, 2, 5, 6, 7, committed=4))
    assert (count.n_drafted, count.n_accepted) == (3, 1)
    count.see(canvas(1, 2, 5, 6, 7, committed=5))
    assert (count.n_drafted, count.n_accepted) == (4, 2)


def test_a_text_that_stands_there_is_a_draft() -> None:
    """A rewrite's own tokens are checked like any other draft."""
    count = DraftCount(canvas(1, 2))
    count.see(canvas(1, 3, committed=2))

    assert (count.n_drafted, count.n_accepted) == (2, 1)


def test_a_fill_tells_its_drafts() -> None:
    """What the check accepts is what a fill saves: tokens are forwards and accepted drafts."""
    usage = ask("", params={"threshold": 0.0}, weights=1).usage

    assert usage.n_drafted > 0
    assert 0 <= usage.n_accepted <= usage.n_drafted
    assert ask("", params={"n_drafts": 0}, weights=1).usage.n_drafted == 0
    assert ask("", sampler="low_confidence").usage.n_drafted == 0
