"""Fills that close what the file closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.text.brackets import within_brackets


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "expected"),
    [
        ("return sum(", "range(n + 1))", ")\n", "range(n + 1)"),
        ("return bin(", "total)[2:]", ")\n", "total"),
        ("return [x for ", "x in y]", " ]", "x in y"),
        ("f(\n    a,\n    ", "g(b))", ")\n", "g(b)"),
        ("f(", "))", "))", ""),
        # What the line leaves open is the fill's to close.
        ("f(g(", "a)", ")\n", "a)"),
        ("f(g(", "a), b)", ")\n", "a), b"),
        # It may close a block and open the next.
        ("if (a) {\n", "b();\n} else {\n  c();\n", "}\n", "b();\n} else {\n  c();\n"),
        ("if (a) {\n", "b();\n}\nc();\n", "}\n", "b();\n"),
        # Another bracket follows, or none.
        ("f(", "a]", ")\n", "a]"),
        ("f(", "a)", "\n)", "a)"),
        ("f(", "a)", "", "a)"),
        # Brackets in strings are none, and where a string begins nobody knows.
        ("print(", 'a, ")")', ")\n", 'a, ")"'),
        ("print(':)', ", "a)", ")\n", "a"),
        ('print("a', 'b")', ")\n", 'b")'),
        ("print(", "it's)", ")\n", "it's)"),
    ],
)
def test_a_fill_closes_its_own_brackets(prefix: str, text: str, suffix: str, expected: str) -> None:
    """It ends before the first one that is the file's."""
    assert within_brackets(text, prefix, suffix) == expected


@given(st.text("a(b)[]{}\n\"' "), st.text("(a[ \n'"), st.text(")b]} \n'"))
def test_it_ends_nowhere_else(text: str, prefix: str, suffix: str) -> None:
    """What is cut off begins with what follows, and nothing is cut off twice."""
    kept = within_brackets(text, prefix, suffix)
    assert text.startswith(kept)
    if kept != text:
        assert suffix.lstrip()[0] == text[len(kept)] in ")]}"
    assert within_brackets(kept, prefix, suffix) == kept
