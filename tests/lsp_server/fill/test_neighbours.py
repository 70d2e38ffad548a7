"""What the model is not shown when it writes a whole body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import snapshot_of, unmark

from lsp_server.fill.infill import make_plan
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Settings

PYTHON = """import os
LIMIT = 3

@cache
def helper(x):
    return x

# Says it.
def other(x):
    pass

class A:
    size = 1
    def __init__(self):
        self.items = []
    def push(self, x):
        ...
    def pop(self):
        $0___$0

class B:
    def only(self):
        return 1

class C:
    kind = 2
    def method(self):
        return 2
"""
SHOWN = """import os
LIMIT = 3

class A:
    size = 1
    def __init__(self):
        self.items = []
    def pop(self):
        ¦

class B:
    def only(self):
        return 1

class C:
    kind = 2
"""


def shown(marked: str, language: str = "python", **fields: str) -> str:
    """Return what is shown around the selection, which is marked."""
    text, selections = unmark(marked)
    params = InfillParams("", **fields)  # type: ignore[arg-type]  # names of modes
    plan = make_plan(snapshot_of(text, language), params, Settings(), selections=selections)
    assert plan.request.spans[0].enclosing is not None
    return f"{plan.request.prefix}¦{plan.request.suffix}"


def test_other_functions_are_left_out_around_a_body() -> None:
    """With their decorators and comments; constructors, fields and all else stay."""
    assert shown(PYTHON).rstrip() == SHOWN.rstrip()


def test_a_part_of_a_body_is_shown_everything() -> None:
    """It goes on with what stands there."""
    marked = PYTHON.replace("$0___$0", "x = $01$0\n        return x")
    assert "def helper" in shown(marked)
    assert "# Says it." in shown(marked)


def test_a_body_that_is_judged_is_shown_everything() -> None:
    """A repair compares what stands in the file."""
    assert "def helper" in shown(PYTHON.replace("___", "return 1"), mode="repair")


@pytest.mark.parametrize(
    ("said", "name", "is_shown"),
    [
        ("Uses parse_line.", "parse_line", True),
        ("Parses each line.", "parse_line", True),
        ("Counts the words.", "count_word", True),
        ("Counts the words.", "parse_line", False),
        ("Returns a list.", "list_of_primes", False),
        ("", "f", False),
    ],
)
def test_what_is_spoken_of_is_shown(said: str, name: str, is_shown: bool) -> None:  # noqa: FBT001
    """By its name, or by all words of it."""
    marked = f'def {name}(a):\n    return 0\n\ndef g(x):\n    """{said}"""\n    $0___$0\n'
    assert (f"def {name}" in shown(marked)) == is_shown


@pytest.mark.parametrize(
    ("language", "marked", "kept"),
    [
        (
            "javascript",
            (
                "const a = 1;\nexport const f = (x) => {\n  return 1;\n};\n"
                "const o = {\n  m(x) {\n    return 1;\n  },\n};\n"
                "const p = 1, q = () => {\n  return 1;\n};\n"
                "run(function () {\n  return 1;\n});\n"
                "function t(x) {\n  $0___$0\n}\n"
            ),
            ["const a", "const o", "m(x)", "const p", "run("],
        ),
        (
            "typescript",
            (
                "interface I { a: number }\nclass A {\n  b = 1;\n  constructor() {}\n"
                "  f(x: I) {\n    return 1;\n  }\n  t(x: I) {\n    $0___$0\n  }\n}\n"
            ),
            ["interface I", "b = 1", "constructor"],
        ),
        (
            "go",
            (
                "package a\n\ntype S struct{ a int }\n\n// F does it.\nfunc (s *S) F() int {\n"
                "\treturn 1\n}\n\nfunc T(x int) int {\n\t$0___$0\n}\n"
            ),
            ["package a", "type S"],
        ),
        (
            "rust",
            (
                "struct S { a: i32 }\n\nimpl S {\n    #[inline]\n"
                "    fn f(&self) -> i32 {\n        1\n"
                "    }\n    fn new() -> S {\n        S { a: 1 }\n    }\n    fn t(&self) -> i32 {\n"
                "        $0___$0\n    }\n}\n"
            ),
            ["struct S", "fn new"],
        ),
        (
            "java",
            (
                "class A {\n    int a;\n    A() {\n    }\n    /** Says. */\n    int f(int x) {\n"
                "        return 1;\n    }\n    int t(int x) {\n        $0___$0\n    }\n}\n"
            ),
            ["int a;", "A()"],
        ),
        (
            "c",
            (
                "#ifndef A_H\n#define N 1\nstatic int f(int x)\n{\n    return 1;\n}\n"
                "\nint t(int x)\n{\n    $0___$0\n}\n#endif\n"
            ),
            ["#define N"],
        ),
        (
            "lua",
            "local M = {}\nfunction M.f(x)\n  -- TODO\nend\nfunction M.t(x)\n  $0___$0\nend\n",
            ["local M"],
        ),
    ],
)
def test_in_every_language(language: str, marked: str, kept: list[str]) -> None:
    """A function called `f` or `F` goes; what is no declaration of one alone stays."""
    text = shown(marked, language)
    assert all(one in text for one in kept)
    assert not any(
        one in text for one in ("f = (", "f(x", "F()", "fn f(", "Says", "does it", "inline")
    )


@given(
    st.lists(st.sampled_from(["def f(x):\n    return x\n", "X = 1\n", "# é\n", "\n"]), max_size=9)
)
def test_what_is_shown_is_of_the_file(pieces: list[str]) -> None:
    """In its order, whatever stands around, and right up to the span."""
    head = "".join(pieces)
    marked = f"{head}def target(y):\n    $0___$0\n{head}"
    before, _, behind = shown(marked).partition("¦")
    assert before.endswith("def target(y):\n    ")
    whole = iter(marked.replace("$0___$0", "").splitlines())
    assert all(line in whole for line in [*before.splitlines()[:-1], *behind.splitlines()[1:]])
    assert (before + behind).count("X = 1") == 2 * pieces.count("X = 1\n")
