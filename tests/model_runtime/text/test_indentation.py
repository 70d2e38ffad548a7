"""What the first line of a block begins with."""

from __future__ import annotations

import pytest

from model_runtime.text.indentation import indentation_in_block


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("if a:\n", "    "),
        ("if a:\n  ", "    "),
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
def test_a_block_is_indented_as_the_file_indents(prefix: str, expected: str) -> None:
    """Behind a line that opens one, whatever blank lines and comments part them; nowhere else."""
    assert indentation_in_block(prefix, "python") == expected


def test_other_languages_are_free() -> None:
    """Their blocks have brackets."""
    assert indentation_in_block("if (a)\n", "javascript") == ""
    assert indentation_in_block("if a:\n", "") == ""
