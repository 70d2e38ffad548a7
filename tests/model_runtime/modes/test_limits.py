"""What no mode takes, and what each takes all the same."""

from __future__ import annotations

from typing import Any

import pytest
from support.tiny_canvas import ask

from model_runtime.errors import BadRequest, CanvasTooLong
from model_runtime.protocol import MaskSpan

FIVE_THOUSAND_LINES = "x = 1\n" * 5000

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mode": "rewrite", "strength": 1.5}, r"strength is 1\.5; allowed: 0 to 1"),
    ({"mode": "rewrite", "strength": -0.1}, "strength is"),
    ({"mode": "rewrite", "strength": float("nan")}, "strength is nan"),
    ({"mode": "rewrite", "instruction": "please " * 15_000}, "105000 characters; at most 2000"),
    ({"mode": "rewrite", "spans": (MaskSpan(text="a"),) * 2}, "takes one span; the request has 2"),
    ({"mode": "repair", "spans": (MaskSpan(text="a"),) * 2}, "takes one span"),
    ({"mode": "holes", "spans": (MaskSpan(),) * 65}, "65 spans; at most 64"),
    ({"spans": ()}, "no span to fill"),
    ({"n_alternatives": 17}, "allowed: 1 to 16"),
    ({"seed": -1}, "seed is -1"),
    ({"spans": (MaskSpan(max_tokens=0),)}, "at least 1"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(
    fields: dict[str, Any], words: str
) -> None:
    """The message says what is wrong and what is allowed; nothing is computed for it."""
    with pytest.raises(BadRequest, match=words):
        ask("text", **fields)


@pytest.mark.parametrize("mode", ["rewrite", "repair"])
def test_a_selection_that_is_too_long_is_refused_with_the_limit(mode: str) -> None:
    """5,000 lines do not fit a canvas; the message says how much does."""
    with pytest.raises(CanvasTooLong, match=f"30000 tokens; {mode} takes at most 640 at once"):
        ask(FIVE_THOUSAND_LINES, mode=mode)


def test_a_long_selection_can_be_replaced() -> None:
    """To fill it anew the model need not see what stood there."""
    assert ask(FIVE_THOUSAND_LINES).alternatives[0].texts[0] != FIVE_THOUSAND_LINES


def test_fifty_holes_are_filled() -> None:
    """All in one request, and each gets a text."""
    spans = (MaskSpan(text="___", following="\n", max_tokens=2),) * 50
    assert len(ask(mode="holes", spans=spans).alternatives[0].texts) == 50
