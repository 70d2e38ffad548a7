"""What is open at a cursor, and how a text is read for it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.code import LANGUAGES, texts

from model_runtime.text import closers
from model_runtime.text.closers import closers_at
from model_runtime.text.scan import scan
from model_runtime.text.syntax import syntax_of


@given(text=texts(), at=st.integers(0, 20), name=st.sampled_from([*LANGUAGES, "sql", "css"]))
@settings(deadline=None)
def test_no_place_that_matters_is_passed_over(text: str, at: int, name: str) -> None:
    """A place is told by its first character, but nothing is lost by that."""
    pattern = syntax_of(name).pattern
    slow = re.compile(pattern.pattern[pattern.pattern.index("(?:(?P<") :], pattern.flags)
    found, expected = pattern.search(text, at), slow.search(text, at)
    assert (found and (found.span(), found.lastgroup)) == (
        expected and (expected.span(), expected.lastgroup)
    )


@given(text=texts(), name=st.sampled_from(LANGUAGES), n_piece=st.integers(1, 30))
@settings(deadline=None)
def test_a_file_read_in_pieces_is_read_as_one(text: str, name: str, n_piece: int) -> None:
    """So what was read above a cursor stays read while somebody types."""
    syntax = syntax_of(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closers, "N_PIECE", n_piece)
        opened = closers_at(f"{text}\n", "", syntax).opened
    expected = scan(f"{text}\n", syntax).opened
    assert [one.closes for one in opened] == [one.closes for one in expected]


def test_a_docstring_that_begins_far_above_is_one() -> None:
    """A cursor behind it stands in code, one in it in text."""
    syntax = syntax_of("python")
    inside = 'def f():\n    """Sums.\n' + "    It isn't (much.\n" * 5000
    assert [one.closes for one in closers_at(inside, '"""\n', syntax).opened] == ['"""']
    assert closers_at(f'{inside}    """\n    return ', "\n", syntax).opened == ()
