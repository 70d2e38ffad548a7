"""What is left of a suggestion."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.fill.suggestions import Suggestion

TEXT = st.text(alphabet="ab\n", max_size=6)


@given(before=TEXT, behind=TEXT, text=TEXT, typed=TEXT)
def test_what_is_left_completes_what_was_suggested(
    before: str, behind: str, text: str, typed: str
) -> None:
    """Whatever is typed, the rest makes the suggested document of it, or there is none."""
    rest = Suggestion(before, behind, (text,)).rest(before + typed, behind)

    expected = text.startswith(typed) and text != typed
    assert [before + typed + left for left in rest] == ([before + text] if expected else [])


def test_line_ends_are_the_documents_own() -> None:
    """The model writes one kind; a line that was accepted has the document's."""
    suggestion = Suggestion("a\r\n", "\r\nb", ("one\ntwo",))

    assert suggestion.rest("a\r\none\r\n", "\r\nb") == ["two"]
