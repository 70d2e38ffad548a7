"""Which function a span stands in."""

from __future__ import annotations

import pytest
from support.marked import unmark

from lsp_server.syntax.enclosing import MAX_PARSED, find_enclosing


def around(marked: str, language: str) -> tuple[str, str, bool] | None:
    """Return the function before and behind the marked span, and whether that is its body."""
    text, (span,) = unmark(marked)
    found = find_enclosing(language, text, span)
    if found is None:
        return None
    before = text[span.start - found.n_before : span.start]
    return before, text[span.end : span.end + found.n_behind], found.is_body


@pytest.mark.parametrize(
    ("language", "head", "tail"),
    [
        ("python", 'def f(x) -> int:\n    """Doc."""\n    ', ""),
        ("python", "async def f(x):\n    # first\n    ", ""),
        ("javascript", "const f = (x) => {\n  ", "\n}"),
        ("typescript", "export function f(x: number): number {\n  ", "\n}"),
        ("rust", "pub fn f(&self) -> Option<T> {\n    ", "\n}"),
        ("go", "func f(x int) int {\n\t", "\n}"),
        ("java", "int f(int x) {\n    ", "\n}"),
        ("c", "static int f(int x)\n{\n    ", "\n}"),
        ("cpp", "int A::f(int x) const {\n    ", "\n}"),
        ("lua", "local function f(x)\n  ", "\nend"),
    ],
)
@pytest.mark.parametrize("body", ["", "pass", "___", "x = (", "return 1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_body_is_told_with_its_function(
    language: str, head: str, tail: str, body: str, end: str
) -> None:
    """Whatever stands in it, nothing, a marker, or half a line that would not parse."""
    outer = "class A {\n" if language == "java" else ""
    closing = "\n}\n" if outer else "\n"
    marked = f"{outer}{head}$0{body}$0{tail}{closing}".replace("\n", end)
    assert around(marked, language) == (head.replace("\n", end), tail.replace("\n", end), True)


@pytest.mark.parametrize(
    ("language", "marked", "is_body"),
    [
        ("python", "def f(x):\n    y = 1\n    $0$0\n    return y\n", False),
        ("python", "def f(x):\n    return $0___$0\n", False),
        ("javascript", "items.map((x) => {\n  $0return 1;$0\n});\n", True),
        ("typescript", "const f = (x) => {\n  const y = ___;\n  $0return y;$0\n};\n", False),
    ],
)
def test_a_part_of_a_body_is_none(language: str, marked: str, is_body: bool) -> None:  # noqa: FBT001
    """Other statements beside the span, markers included, make it a part."""
    found = around(marked, language)
    assert found is not None
    assert found[2] == is_body


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", "x = $0___$0\n"),
        ("python", "class A:\n    $0pass$0\n"),
        ("plaintext", "def f():\n    $0pass$0\n"),
        ("python", "def f():\n    $0pass$0\n" + "#" * MAX_PARSED),
    ],
)
def test_no_function_is_told_where_there_is_none(language: str, marked: str) -> None:
    """Nor in a language without a grammar, nor in a file that takes too long to parse."""
    assert around(marked, language) is None


def test_the_place_counts_characters() -> None:
    """tree-sitter counts bytes; the wire does not."""
    head = 'def größe(x):\n    """Gibt die Größe zurück."""\n    '
    assert around(f"s = 'é😀'\n\n{head}$0pass$0\n", "python") == (head, "", True)
