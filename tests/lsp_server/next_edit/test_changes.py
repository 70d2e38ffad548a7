"""What the user meant, out of two texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.next_edit.changes import common_head, common_tail, hull, meant

TEXTS = st.text(alphabet="ab \nc_", max_size=40)


def shown(before: str, after: str) -> list[tuple[int, str, str]]:
    """Return the changes as tuples."""
    return [(change.start, change.old, change.new) for change in meant(before, after)]


def test_letters_of_a_word_are_the_word() -> None:
    """A name typed longer is another name, wherever in it the letters came in."""
    assert shown("def f(wid):\n", "def f(width):\n") == [(6, "wid", "width")]
    assert shown("a.count()\n", "a.recount()\n") == [(2, "count", "recount")]
    assert shown("total = 1\n", "tal = 1\n") == [(0, "total", "tal")]


def test_a_word_put_in_stands_alone() -> None:
    """What is put in between words changes none of them."""
    assert shown("f(a)\n", "f(a, b)\n") == [(3, "", ", b")]


def test_the_same_at_several_places_is_several_changes() -> None:
    """Several cursors make the same replacement at each."""
    assert shown("x = x + y\n", "z = z + y\n") == [(0, "x", "z"), (4, "x", "z")]


def test_a_formatter_means_nothing() -> None:
    """Different things changed all over a file are no edit that others follow from."""
    before = "a=1\nb=2\nc=3\nd=4\ne=5\n"
    assert meant(before, before.replace("=", " = ").replace("b", "bb").replace("e", "ee")) == []


def test_nothing_is_no_change() -> None:
    """A text that came back to what it was has not changed."""
    assert meant("a\n", "a\n") == []


@given(TEXTS, TEXTS)
def test_what_is_common_is_the_most_there_is(one: str, other: str) -> None:
    """Halving finds the same as looking at each character."""
    head = common_head(one, other)
    assert one[:head] == other[:head]
    assert head == min(len(one), len(other)) or one[head] != other[head]
    tail = common_tail(one, other, head)
    assert one[len(one) - tail :] == other[len(other) - tail :]


@given(TEXTS, TEXTS)
def test_a_change_makes_the_one_text_of_the_other(before: str, after: str) -> None:
    """Taken back, it leaves the text it was made in."""
    change = hull(before, after)
    if change is None:
        assert before == after
    else:
        assert after[: change.start] + change.old + after[change.end :] == before


@given(TEXTS, TEXTS)
def test_what_was_meant_is_all_that_was_done(before: str, after: str) -> None:
    """Taken back one by one, from the last on, the changes leave the text they were made in."""
    changes = meant(before, after)
    text = after
    for change in reversed(changes):
        assert text[change.start : change.end] == change.new
        text = text[: change.start] + change.old + text[change.end :]
    assert text == before or not changes
