"""The recent edits of a document, whatever keys they came of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.next_edit.recent import MAX_CHARACTERS, RecentEdits

URI = "file:///w/a.py"
TEXT = "def area(w, h):\n    size = w * h\n    return size\n\n\nprint(area(1, 2))\n"


def edited(*texts: str, first: str = TEXT) -> RecentEdits:
    """Return the edits of a document that became one text after the other."""
    recent = RecentEdits()
    recent.open(URI, first)
    for text in texts:
        recent.change(URI, text)
    return recent


def last(recent: RecentEdits) -> list[tuple[str, str]]:
    """Return the last edit, as what was replaced by what."""
    return [(change.old, change.new) for change in recent.last(URI)]


def typed(before: str, after: str, text: str = TEXT) -> list[str]:
    """Return the texts while a replacement is typed, one key after the other."""
    head, tail = text.split(before, 1)
    erased = [head + before[:n] + tail for n in reversed(range(len(before)))]
    return erased + [head + after[: n + 1] + tail for n in range(len(after))]


def test_typing_is_one_edit() -> None:
    """A word erased and another one typed, key by key, is one replaced by the other."""
    assert last(edited(*typed("w, h", "width, h"))) == [("w", "width")]


def test_an_edit_elsewhere_is_another_one() -> None:
    """The user goes to another place: what was done before rests."""
    first = TEXT.replace("area(w", "area(width")
    second = first.replace("print(area(1", "print(area(3")
    assert last(edited(first, second)) == [("1", "3")]


def test_the_same_made_one_after_the_other_is_one_edit() -> None:
    """A name replaced here and then there is replaced at both places."""
    first = TEXT.replace("def area", "def surface")
    assert last(edited(first, first.replace("print(area", "print(surface"))) == [
        ("area", "surface"),
        ("area", "surface"),
    ]


def test_undo_takes_an_edit_back() -> None:
    """Undone, there is none; the one before it counts again."""
    first = TEXT.replace("area(w", "area(width")
    second = first.replace("print(area(1", "print(area(3")
    assert last(edited(first, TEXT)) == []
    assert last(edited(first, second, first)) == [("w", "width")]
    assert last(edited(first, second, first, second)) == [("1", "3")]
    assert last(edited(first, second, first, TEXT, first)) == [("w", "width")]


def test_what_is_taken_back_by_hand_is_known() -> None:
    """An edit that reverses an earlier one is told from others."""
    first = TEXT.replace("area(w", "area(width")
    second = first.replace("print(area(1", "print(area(3")
    recent = edited(first, second)
    assert recent.is_reversal(URI, "width", "w")
    assert recent.is_reversal(URI, "3", "1")
    assert not recent.is_reversal(URI, "w", "width")


def test_a_large_document_is_left_alone() -> None:
    """It would cost with every key; and so does one that grows."""
    assert last(edited("x" * MAX_CHARACTERS + "y", first="x" * (MAX_CHARACTERS + 1))) == []
    assert last(edited("x" * (MAX_CHARACTERS + 1))) == []


def test_a_document_that_is_not_open_has_none() -> None:
    """Closed, it is forgotten; a change of one that nobody opened is where it begins."""
    recent = edited(TEXT.replace("area(w", "area(width"))
    recent.close(URI)
    assert last(recent) == []
    recent.change(URI, TEXT)
    assert last(recent) == []


@given(st.lists(st.text(alphabet="ab\n ", max_size=30), max_size=12))
def test_the_last_edit_stands_in_the_text(texts: list[str]) -> None:
    """Whatever comes, the changes are stretches of the text as it stands, apart from each other."""
    recent = edited(*texts)
    end = 0
    for change in recent.last(URI):
        assert change.start >= end
        assert texts[-1][change.start : change.end] == change.new
        end = change.end
