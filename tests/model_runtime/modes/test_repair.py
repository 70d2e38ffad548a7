"""What a repair asks for before it changes anything."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.models.base import Judgement
from model_runtime.modes.change import (
    EACH_TOKEN,
    LEFT_OUT,
    MARGIN,
    MARGIN_LINE,
    NATS,
    TOLD,
    change_of,
    is_same,
    worth_here,
)
from model_runtime.modes.proposals import JudgedText
from model_runtime.text.syntax import syntax_of


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
    clear, spread = change_of(first, here), change_of(first, elsewhere)
    assert clear.gain == pytest.approx(9.0)
    assert spread.gain == pytest.approx(10.0)
    line = clear.logit(is_line=True, is_told=False)
    assert line == pytest.approx((9.0 - MARGIN_LINE) / NATS)
    several = spread.logit(is_line=False, is_told=False)
    assert several == pytest.approx((-EACH_TOKEN - MARGIN) / NATS)
    told = spread.logit(is_line=False, is_told=True)
    assert told == pytest.approx(several + TOLD / NATS)


def test_a_change_that_ruins_what_follows_is_none() -> None:
    """Likelier at its place, and not as a whole."""
    behind = list(range(100, 140))
    first = judged([1, *behind], [-9.0, *[0.0] * 40])
    other = judged([2, *behind], [0.0, *[0.0] * 30, *[-1.0] * 10])
    assert change_of(first, other).worth == pytest.approx(-1.0 - EACH_TOKEN)


def test_what_leaves_much_out_is_no_repair() -> None:
    """Though fewer tokens are likelier by that alone."""
    rest = list(range(100, 110))
    first = judged([*range(10), *rest], [-1.5] * 20)
    shorter = judged(rest, [-1.5] * 10)
    other = judged([50, *range(1, 10), *rest], [*[-0.0], *[-1.5] * 19])
    assert change_of(first, shorter).gain == pytest.approx(15.0)
    assert change_of(first, shorter).worth == pytest.approx(15.0 - 10 * (LEFT_OUT + EACH_TOKEN))
    assert change_of(first, other).worth > change_of(first, shorter).worth


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=9)


@given(tokens, tokens, st.floats(-3, 0), st.floats(-3, 0))
def test_a_short_text_is_worth_the_same_by_its_place_alone(
    old: list[int], new: list[int], each_old: float, each_new: float
) -> None:
    """Where nothing follows that could tell more."""
    first, other = judged(old, [each_old] * len(old)), judged(new, [each_new] * len(new))
    change = change_of(first, other)
    here = worth_here(first, other.token_ids, other.judged)
    assert here - change.worth == pytest.approx(max(0.0, change.gain_here - change.gain), abs=1e-4)
    assert change.start <= change.end <= len(old)


@pytest.mark.parametrize(
    ("language", "one", "other", "same"),
    [
        ("python", "a\n\nb", "a\nb", True),
        ("python", "a  \nb", "a\nb", True),
        ("python", "f(a,b)", "f(a, b)", True),
        ("python", "a = 1;\nb", "a = 1\nb", True),
        ("python", "f('a')", 'f("a")', True),
        ("python", "if a:\n    b", "if a:\n  b", False),
        ("python", "d = {a: b}\nif a:\n    b", "d = {a: b}\nif a:\n  b", False),
        ("python", "a\nb", "a\nc", False),
        ("javascript", "if (a) {return b }", "if (a) {\n  return b;\n}", True),
        ("javascript", "if (a) {\n  return b\n}", "if (a) {\n    return b;\n}", True),
        ("javascript", "if (a) {\n  return\n  b\n}", "if (a) {\n  return b\n}", False),
        ("javascript", "if (a == b) {}", "if (a != b) {}", False),
        ("", "a\n  b", "a\n b", False),
    ],
)
def test_how_a_text_is_set_is_no_fault(language: str, one: str, other: str, *, same: bool) -> None:
    """Where lines and blanks stand is a matter of taste, but where they tell blocks or ends."""
    assert is_same(one, other, syntax_of(language, "", "")) == same
