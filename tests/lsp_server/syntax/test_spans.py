"""What a selection means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import mark, snapshot_of, unmark

from lsp_server.documents import Span
from lsp_server.errors import BadSelection
from lsp_server.syntax.languages import GRAMMARS
from lsp_server.syntax.spans import find_mask_spans

if TYPE_CHECKING:
    from lsp_server.protocol_ext import Scope
    from model_runtime.protocol import Mode


def check(
    before: str,
    expected: str,
    *,
    scope: Scope = "selection",
    mode: Mode = "infill",
    language: str = "python",
) -> None:
    """Compare what is found for the marks of `before` with the marks of `expected`."""
    text, selections = unmark(before)
    found = find_mask_spans(snapshot_of(text, language), selections, mode=mode, scope=scope)
    assert mark(text, list(found)) == expected


@given(st.text(max_size=20), st.data())
def test_a_selection_is_never_widened(text: str, data: st.DataObject) -> None:
    """What is selected is what is filled, to the character, blanks and all."""
    ends = data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2).map(sorted))
    selection = Span(*ends)

    assert find_mask_spans(snapshot_of(text), [selection], mode="infill") == (selection,)


PYTHON_BODY = [
    ("def f(a):\n    re$0turn a\n", "def f(a):\n    $0return a$0\n"),
    ("def f($0a):\n    x = 1\n    return a\n", "def f(a):\n    $0x = 1\n    return a$0\n"),
    (
        'def f(a):\n    """Doc."""\n    $0return a\n',
        'def f(a):\n    """Doc."""\n    $0return a$0\n',
    ),
    (
        "def f():\n    def g():\n        $0pass\n    return g\n",
        "def f():\n    def g():\n        $0pass$0\n    return g\n",
    ),
    ("f = lambda x: x $0+ 1\n", "f = lambda x: $0x + 1$0\n"),
    ("s = '😀'\ndef f():\n    $0pass\n", "s = '😀'\ndef f():\n    $0pass$0\n"),
]


@pytest.mark.parametrize(("before", "expected"), PYTHON_BODY)
def test_a_python_body_is_the_innermost_functions(before: str, expected: str) -> None:
    """The body of the function around the cursor, without its docstring."""
    check(before, expected, scope="body")


IN_EACH_LANGUAGE = {
    "javascript": "const f = (a) => { return a$0 + 1; };\n",
    "javascriptreact": "function F(a) { return a$0 + 1; }\n",
    "typescript": "class A { f(a: number): number { return a$0 + 1; } }\n",
    "typescriptreact": "const F = (a) => { return a$0 + 1; };\n",
    "rust": "impl A { fn f(&self, a: i32) -> i32 { return a$0 + 1; } }\n",
    "go": "package m\nfunc (s *S) f(a int) int { return a$0 + 1; }\n",
    "c": "int f(int a) { return a$0 + 1; }\n",
    "cpp": "auto g = [](int a) { return a$0 + 1; };\n",
    "java": "class A { int f(int a) { return a$0 + 1; } }\n",
    "lua": "local function f(a) return a$0 + 1; end\n",
    "python": "def f(a): return a$0 + 1\n",
}


def test_every_grammar_is_tried() -> None:
    """A grammar that joins the table joins the next test too."""
    assert IN_EACH_LANGUAGE.keys() == GRAMMARS.keys()


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_grammar_knows_the_scopes(language: str) -> None:
    """Each language of the table finds a body, a statement and an expression."""
    text, selections = unmark(IN_EACH_LANGUAGE[language])
    snapshot = snapshot_of(text, language)
    scopes: tuple[Scope, ...] = ("body", "statement", "expression")

    found = [
        text[slice(*find_mask_spans(snapshot, selections, mode="infill", scope=scope)[0])]
        for scope in scopes
    ]

    assert [piece.removesuffix(";") for piece in found] == ["return a + 1"] * 2 + ["a + 1"]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("function f() {$0}\n", "function f() {$0}\n"),
        ("function f() {$0\n}\n", "function f() {$0\n$0}\n"),
        ("function f() {\n  // why\n  $0a();\n}\n", "function f() {\n  $0// why\n  a();$0\n}\n"),
        ("const f = (a) => $0a + 1;\n", "const f = (a) => $0a + 1$0;\n"),
    ],
)
def test_a_body_in_braces_leaves_them(before: str, expected: str) -> None:
    """Braces, and the blanks inside them, stay; an empty body is what stands between them."""
    check(before, expected, scope="body", language="javascript")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("def f():\n$0    x = g(1)\n", "def f():\n    $0x = g(1)$0\n"),
        ("def f():\n    x = g(1)$0\n", "def f():\n    $0x = g(1)$0\n"),
        ("x = [\n  1,\n  $02,\n]\n", "$0x = [\n  1,\n  2,\n]$0\n"),
        ("if a:\n    b = 1\n    $0c = 2\n", "if a:\n    b = 1\n    $0c = 2$0\n"),
        ("a = 1\n$0b = 2\nc = 3$0\n", None),
    ],
)
def test_a_statement_is_the_smallest_around(before: str, expected: str | None) -> None:
    """Blanks before or behind the cursor do not lead astray; two statements are none."""
    if expected is None:
        with pytest.raises(BadSelection, match="no statement around"):
            check(before, "", scope="statement")
    else:
        check(before, expected, scope="statement")


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("x = f(a $0+ b)\n", "x = f($0a + b$0)\n"),
        ("x = f(a + $0b)\n", "x = f($0a + b$0)\n"),
        ("x = $0f(a)\n", "x = $0f(a)$0\n"),
        ("x = $0y\n", "x = $0y$0\n"),
        ("x = f(a, 'sp$0am')\n", "x = f(a, $0'spam'$0)\n"),
        ("x = f($0a + b$0) + 1\n", "x = f($0a + b$0) + 1\n"),
    ],
)
def test_an_expression_is_the_smallest_of_some_size(before: str, expected: str) -> None:
    """A name alone is filled only where nothing larger holds it."""
    check(before, expected, scope="expression")


@pytest.mark.parametrize(
    ("marked", "scope", "language", "says"),
    [
        ("x = 1\n$0", "body", "python", "no body around the cursor"),
        ("import os$0\n", "body", "python", "no body around the cursor"),
        ("MOVE A TO B.$0\n", "statement", "cobol", "no grammar for cobol"),
        ("some text$0\n", "expression", "", "no grammar for this kind of file"),
        ("$0", "statement", "python", "no statement around the cursor"),
    ],
)
def test_what_can_not_be_found_is_said(marked: str, scope: Scope, language: str, says: str) -> None:
    """The message says what is missing and what to do instead."""
    with pytest.raises(BadSelection, match=says):
        check(marked, "", scope=scope, language=language)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("a = ___\nb = ___\n", "a = $0___$0\nb = $0___$0\n"),
        ("$0a = ___\nb = ___\n", "a = $0___$0\nb = $0___$0\n"),
        ("$0a = ___\n$0b = ___\n", "a = $0___$0\nb = ___\n"),
        ("a___b = __init__ + ____ + ___\n", "a___b = __init__ + ____ + $0___$0\n"),
        ("a = $0x$0 + $0y$0\n", "a = $0x$0 + $0y$0\n"),
        ("a = $0x$0 + $0___$0\n", "a = x + $0___$0\n"),
    ],
)
def test_holes_are_markers_or_selections(before: str, expected: str) -> None:
    """Markers count where they stand alone; without any, several selections are the holes."""
    check(before, expected, mode="holes")


@pytest.mark.parametrize(
    ("before", "expected", "language"),
    [
        ('a = "___"  # ___\nb = ___\n', 'a = "___"  # ___\nb = $0___$0\n', "python"),
        ('a = f"{___} ___"\n', 'a = f"{$0___$0} ___"\n', "python"),
        ('a = "x $0___$0"\n', 'a = "x $0___$0"\n', "python"),
        ("f(`${___} ___`); // ___\n", "f(`${$0___$0} ___`); // ___\n", "javascript"),
        ('MOVE "___" TO A.\n', 'MOVE "$0___$0" TO A.\n', "cobol"),
    ],
)
def test_a_marker_in_a_string_is_text(before: str, expected: str, language: str) -> None:
    """Unless code is interpolated there, it is selected alone, or no grammar knows of strings."""
    check(before, expected, mode="holes", language=language)


@pytest.mark.parametrize(
    ("marked", "mode", "says"),
    [
        ('x = "___"\n$0', "holes", "only inside strings and comments"),
        ("x = 1$0\n", "holes", "no hole to fill. Write ___"),
        ("$0x = 1$0\n", "holes", "no hole to fill"),
        ("x $0= 1\n", "rewrite", "nothing to rewrite in an empty selection"),
        ("x$0  $0= 1\n", "repair", "nothing to repair in an empty selection"),
        ("$0a$0 $0b$0\n", "infill", "select one place; 2 are selected"),
    ],
)
def test_a_selection_that_fits_no_mode_is_refused(marked: str, mode: Mode, says: str) -> None:
    """The message says what to select."""
    with pytest.raises(BadSelection, match=says):
        check(marked, "", mode=mode)


def test_overlapping_holes_are_refused() -> None:
    """Two places at once can't be filled with two texts."""
    with pytest.raises(BadSelection, match="overlap"):
        find_mask_spans(snapshot_of("abcdef"), [Span(0, 3), Span(2, 5)], mode="holes")
