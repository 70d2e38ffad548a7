"""Whether an edit still parses."""

from __future__ import annotations

import pytest

from lsp_server.syntax.check import find_faults, find_new_faults


@pytest.mark.parametrize(
    ("before", "after", "n_new"),
    [
        ("x = 1\n", "x = f(1)\n", 0),
        ("x = 1\n", "x = f(1\n", 1),
        ("x = (\ny = 1\n", "x = (\ny = 2\n", 0),
        ("def f(:\n    pass\n\nx = 1\n", "def f(:\n    pass\n\nx = 1 +\n", 1),
        ("x = f(1\n", "x = f(1)\n", 0),
        ("s = '😀'\nx = 1\n", "s = '😀'\nx = = 1\n", 1),
    ],
)
def test_only_what_the_edit_broke_counts(before: str, after: str, n_new: int) -> None:
    """A fault that stood there before is no fault of the edit."""
    assert len(find_new_faults("python", before, after)) == n_new


def test_a_new_fault_is_found_where_it_stands() -> None:
    """Its span points into the new text, behind astral characters too."""
    after = "s = '😀'\nx = 1 $ 2\n"

    (fault,) = find_new_faults("python", "s = '😀'\nx = 1\n", after)

    assert "$" in after[fault.start : fault.end]


def test_a_language_without_a_grammar_has_no_faults() -> None:
    """Where nothing can be said, nothing is held against an edit."""
    assert find_faults("cobol", "((((") == []
