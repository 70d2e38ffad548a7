"""What a repair asks for before it changes anything."""

from __future__ import annotations

import pytest
import torch

from model_runtime.models.canvas import Judgement
from model_runtime.modes.proposals import JudgedText
from model_runtime.modes.repair import MARGIN_LINE, NATS, _change, _is_same


def judged(token_ids: list[int], own: list[float]) -> JudgedText:
    """Return a text whose tokens are as likely as is said."""
    best = torch.zeros(len(own), 1)
    return JudgedText(tuple(token_ids), Judgement(torch.tensor(own), best, best.long()))


def test_a_change_has_to_be_clear_where_it_is_made() -> None:
    """What it gains far behind it does not count."""
    behind = list(range(100, 140))
    first = judged([1, 2, *behind], [0.0, -9.0, *[-0.5] * 40])
    here = judged([1, 3, *behind], [0.0, -0.0, *[-0.5] * 40])
    elsewhere = judged([1, 3, *behind], [0.0, -9.0, *[-0.5] * 20, *[0.0] * 20])
    clear, spread = _change(first, here, ""), _change(first, elsewhere, "")
    assert clear.gain == pytest.approx(9.0)
    assert spread.gain == pytest.approx(10.0)
    assert clear.logit(MARGIN_LINE) == pytest.approx(1.0 / NATS)
    assert spread.logit(MARGIN_LINE) == pytest.approx(-MARGIN_LINE / NATS)


def test_a_change_that_ruins_what_follows_is_none() -> None:
    """Likelier at its place, and not as a whole."""
    behind = list(range(100, 140))
    first = judged([1, *behind], [-9.0, *[0.0] * 40])
    other = judged([2, *behind], [0.0, *[0.0] * 30, *[-1.0] * 10])
    assert _change(first, other, "").logit(0.0) == pytest.approx(-1.0 / NATS)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("a\n\nb", "a\nb", True),
        ("a  \nb", "a\nb", True),
        ("if a:\n    b", "if a:\n  b", False),
        ("a\nb", "a\nc", False),
    ],
)
def test_blank_lines_are_no_fault(one: str, other: str, *, is_same: bool) -> None:
    """Where they stand is a matter of taste; how far a line stands in is not."""
    assert _is_same(one, other) == is_same
