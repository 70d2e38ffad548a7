"""The developer at the simulated keyboard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.typist import (
    Ghost,
    Played,
    gap_in,
    line_of,
    n_right_words,
    pauses,
    play,
    total,
)


def line(text: str) -> EvalTask:
    """Return a line to be typed."""
    return EvalTask(id="l", language="python", path="a.py", prefix="", suffix="\n", reference=text)


def always(text: str, n_forwards: int = 2) -> Ghost:
    """Return ghost text that is sure."""
    return Ghost(text=text, stretches=((len(text), 0.9),), n_forwards=n_forwards)


def test_nothing_shown_is_all_typed() -> None:
    """One key a character; asked at each pause."""
    played = play(line("return x"), lambda _line, _at: Ghost(text=""))

    assert (played.n_keys, played.n_chars, played.n_shown) == (8, 8, 0)
    assert played.n_asked == len(pauses(line("return x"))) == 3


def test_what_is_right_is_one_key() -> None:
    """And the line is done, but for the pause at its end."""
    played = play(line("return x"), lambda one, at: always(one.reference[at:]))

    assert (played.n_keys, played.n_shown, played.n_right) == (1, 1, 1)
    assert played.n_asked == 2


def test_what_is_wrong_stays_until_it_is_typed_against() -> None:
    """It is one suggestion, and wrong once."""
    played = play(line("return x"), lambda _line, at: always("return y" if at == 0 else ""))

    assert (played.n_keys, played.n_shown, played.n_right) == (8, 1, 0)
    assert played.n_asked == 2


def test_who_takes_words_takes_the_right_ones() -> None:
    """A key each; the suggestion was wrong all the same."""
    ghost = always("return foo(y)")
    played = play(
        line("return foo(x)"),
        lambda _line, at: ghost if at == 0 else Ghost(text=""),
        takes_words=True,
    )

    assert (played.n_shown, played.n_right) == (1, 0)
    assert played.n_keys == len(["return", " foo", "("]) + len("x)")


def test_after_a_miss_others_have_to_be_surer() -> None:
    """As in the editor."""
    ghosts = {
        0: Ghost(text="no", stretches=((2, 0.55),)),
        3: Ghost(text="bar", stretches=((3, 0.6),)),
    }
    played = play(line("foo bar"), lambda _line, at: ghosts.get(at, Ghost(text="")), 0.5)

    assert played.n_shown == 1


@pytest.mark.parametrize(("began", "n_asked"), [(0.1, 2), (0.45, 4)])
def test_behind_a_hopeless_answer_marks_alone_are_not_asked_for(began: float, n_asked: int) -> None:
    """A word is: as in the editor."""
    ghost = Ghost(text="", stretches=((0, began),))
    played = play(line("f(x)"), lambda _line, _at: ghost, 0.5)

    # At the line's start, behind `f`, `(`, `x` and `)`.
    assert len(pauses(line("f(x)"))) == 5
    assert played.n_asked == n_asked + 1


@pytest.mark.parametrize(
    ("shown", "wanted", "n"),
    [("foo(a)", "foo(b)", 4), ("foo", "foobar", 0), ("a.b.c", "a.b.d", 4), ("x", "y", 0)],
)
def test_words_are_right_whole(shown: str, wanted: str, n: int) -> None:
    """Half a name is none."""
    assert n_right_words(shown, wanted) == n


texts = st.text("ab (.", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(texts, st.lists(texts, min_size=1, max_size=5), st.floats(0, 1), st.booleans())
def test_keys_are_never_more_than_characters(
    text: str,
    said: list[str],
    least: float,
    takes_words: bool,  # noqa: FBT001  # drawn
) -> None:
    """Whatever is shown; what is right was shown, and what was shown was asked for."""
    played = play(
        line(text), lambda _line, at: always(said[at % len(said)]), least, takes_words=takes_words
    )

    assert 0 < played.n_keys <= played.n_chars
    assert played.n_right <= played.n_shown <= played.n_asked
    assert total([played, Played()]) == played


def test_a_gap_stands_in_its_line() -> None:
    """The whole line is typed, from its first character on; the gap is a place in it."""
    task = EvalTask(
        id="t",
        language="python",
        prefix="def f():\n    return a",
        suffix=" + c\n",
        reference=" + b",
    )

    found = line_of(task)

    assert found is not None
    assert (found.prefix, found.reference, found.suffix) == (
        "def f():\n    ", "return a + b + c", "\n"
    )  # fmt: skip
    assert gap_in(found, task) == len("return a")
