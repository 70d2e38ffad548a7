"""Where fills meet the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.text.trim import at_indentation, cuts


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        ("    return x", "def f(x):\n    ", "return x"),
        ("    return x", "def f(x):\n", "    return x"),
        (" + 1", "x = y", " + 1"),
        ("  a\n  b", "if x:\n    ", "  a\n  b"),
    ],
)
def test_a_line_keeps_the_indentation_of_the_one_it_replaces(
    text: str, prefix: str, expected: str
) -> None:
    """Only behind blanks, and only a single line: several know their own depth."""
    assert at_indentation(text, prefix) == expected


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        # Where it says most of what follows, then at the other places.
        ("return x + y", " x - y\n", ["return"]),
        ("a\nb\nc", "\n", ["a\nb", "a"]),
        ("a\nb", "", ["a"]),
        ("a = 1\n  b = 2\n  c", "  b = 3\n", ["a = 1\n", "a = 1\n  b = 2\n"]),
        ("x = 1", "zzz", []),
    ],
)
def test_a_fill_may_end_where_it_meets_what_follows(
    text: str, suffix: str, expected: list[str]
) -> None:
    """The surest place first."""
    assert cuts(text, suffix) == expected


@given(st.text(max_size=30), st.text(max_size=10))
def test_cuts_begin_the_fill(text: str, suffix: str) -> None:
    """Each is shorter than the fill, and something is left."""
    for cut in cuts(text, suffix):
        assert text.startswith(cut)
        assert 0 < len(cut) < len(text)
