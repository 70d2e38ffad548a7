"""Where a fill ends before the model says so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model_runtime.http.cut import Cut, Seen

TEXTS = st.text(alphabet="ab \n", max_size=30)
CUTS = st.builds(
    Cut,
    st.lists(st.text(alphabet="ab \n", min_size=1, max_size=4), max_size=3).map(tuple),
    st.integers(0, 3),
)


def test_first_stop_wins() -> None:
    """The text ends before the stop string that comes first, whatever their order."""
    cut = Cut(("\n\n", ";"))

    assert cut.see("a; b\n\n", is_whole=True) == Seen("a", is_cut=True, stop=";")


def test_stop_that_is_complete_first_wins() -> None:
    """Where stop strings overlap, text that comes later can't change what was decided."""
    cut = Cut(("b", "abc"))

    assert (
        cut.see("ab", is_whole=False)
        == cut.see("abc", is_whole=True)
        == Seen("a", is_cut=True, stop="b")
    )


def test_beginning_of_a_stop_is_held_back() -> None:
    """What may yet become a stop string is not shown, until it can't."""
    cut = Cut(("<end>",))

    assert cut.see("x <en", is_whole=False).text == "x "
    assert cut.see("x <em", is_whole=False).text == "x <em"
    assert cut.see("x <en", is_whole=True).text == "x <en"


def test_shallow_line_ends_the_text() -> None:
    """A line that is indented less than asked for ends the text before it; blank lines don't."""
    cut = Cut(n_indent=4)

    assert cut.see("if x:\n    y\n\n    z\nw", is_whole=True).text == "if x:\n    y\n\n    z"


@given(cut=CUTS, text=TEXTS, data=st.data())
def test_what_was_shown_is_never_taken_back(cut: Cut, text: str, data: st.DataObject) -> None:
    """However the text arrives, what is shown only grows, and ends as the whole text would."""
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    shown = ""
    for end in ends:
        seen = cut.see(text[:end], is_whole=False)
        assert seen.text.startswith(shown)
        shown = seen.text

    assert cut.see(text, is_whole=True).text.startswith(shown)


@given(cut=CUTS, text=TEXTS)
def test_no_stop_is_ever_shown(cut: Cut, text: str) -> None:
    """No stop string is in what is shown."""
    shown = cut.see(text, is_whole=True).text

    assert not any(stop in shown for stop in cut.stops)
