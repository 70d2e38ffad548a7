"""How long a silence lasts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.fill.silences import Silences

URI = "file:///a.py"


@given(st.text(max_size=6), st.text(max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_it_lasts_for_marks_alone_behind_a_hopeless_answer(
    before: str, typed: str, began: float, least: float
) -> None:
    """Not for a word, a line, the same place, what was nearly sure, or another document."""
    silences = Silences()
    assert not silences.lasts(URI, before + typed, least)
    silences.keep(URI, before, began)

    lasts = silences.lasts(URI, before + typed, least)

    is_marks = not any(c.isalnum() or c in "_\n\r" for c in typed)
    assert lasts == (bool(typed) and is_marks and began < 0.8 * least)
    assert not silences.lasts("file:///b.py", before + typed, least)
    assert not silences.lasts(URI, f"<{before}{typed}", 1.0) or f"<{before}{typed}".startswith(
        before
    )
    silences.forget(URI)
    assert not silences.lasts(URI, before + typed, least)
