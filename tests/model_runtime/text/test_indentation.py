"""What the first line of a block begins with."""

from __future__ import annotations

import pytest

from model_runtime.text.indentation import block_opening


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("if a:\n", "    "),
        ("if a:\n  ", "  "),
        ("if a:\n        ", ""),
        ("def f(\n    a,\n) -> int:\n", "    "),
        ("class A:\n  def f(self):\n    for a in b:  # all\n\n", "      "),
        ("def f():\n\tif a:\n\t\tpass\n\telse:\r\n", "\t\t"),
        ("try:\n    a()\n# or not\nexcept (A, B) as c:\n    # why\n", "    "),
        ("a = {\n    'if': b,\n", ""),
        ("a = b\n", ""),
        ("if a:\n    b", ""),
        ("if a: b\n", ""),
        ('"""\nfor example:\n', ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("single_line", [True, False])
def test_a_block_is_indented_as_the_file_indents(
    prefix: str, expected: str, *, single_line: bool
) -> None:
    """Behind a line that opens one, whatever blank lines and comments part them; nowhere else."""
    assert block_opening(prefix, "", "python", single_line=single_line) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("while a:", "\n    "),
        ('if a == "(":', "\n    "),
        ("class A:\n  def f(self):\n    for a in b: ", "\n      "),
        ("def f():\n\tif a:\n\t\tpass\n\telse:  # not so", "\n\t\t"),
        ("# if a:\na = {b:", ""),
        ("def f(a:", ""),
        ("if a[b:", ""),
        ("    while a", ""),
        ('"""\nfor example:', ""),
    ],
)
def test_a_body_of_several_lines_begins_on_a_new_one(prefix: str, expected: str) -> None:
    """Behind the colon; a single line goes on there, and so does what has something behind it."""
    assert block_opening(prefix, "  ", "python", single_line=False) == expected
    assert block_opening(prefix, "  ", "python", single_line=True) == ""
    assert block_opening(prefix, " return", "python", single_line=False) == ""


def test_other_languages_are_free() -> None:
    """Their blocks have brackets."""
    assert block_opening("if (a)\n", "", "javascript", single_line=False) == ""
    assert block_opening("if a:\n", "", "", single_line=False) == ""
