"""Where a fill ends though the model goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.code import LANGUAGES, texts

from model_runtime.text.ending import Ending, ending_at, ending_in, line_ending
from model_runtime.text.indentation import floor_of
from model_runtime.text.reconcile import reconciled
from model_runtime.text.syntax import syntax_of

if TYPE_CHECKING:
    from model_runtime.text.spelling import Syntax

FUNCTION = "def f(numbers):\n    total = 0\n"
#: Prefix, suffix, what the model says, what of it is the fill (None: all of it).
SAID = [
    # The lines behind the span, from the middle of a line or of a word on.
    (FUNCTION, "\n    return total\n", "    total += 1\n    return total\n", "    total += 1"),
    (FUNCTION, "\n\n    return total\n", "    x()\n    return total\n", "    x()"),
    (FUNCTION, " in numbers)\n    return x\n", "a = (x in numbers)\n    return x\n", "a = (x"),
    (FUNCTION, "tal, numbers)\n", "    print(total, numbers)\nmore", "    print(to"),
    (FUNCTION, "\n    x = 1\n    y(numbers)\n", "    x = 2\n    y(numbers)\n", None),
    (FUNCTION, "\n    x = 1\n    y(numbers)\n", "    a\n    x = 1\n\n    y(numbers)\n", "    a"),
    # Not where they could be meant twice, and not before their line is said to its end.
    (FUNCTION, "\n    }\n", "    if x {\n    }\n    y\n", None),
    (FUNCTION, "\n    return total\n", "    return total_of(numbers)\n", None),
    # A line that begins left of the block.
    (FUNCTION, "", "    return 1\n\n# Test the function\nprint(f(1))", "    return 1"),
    (FUNCTION + "    ", "", "return 1\ndef g():\n    pass", "return 1"),
    ("def f():\n", "", "    return 1\nprint(f())", "    return 1"),
    (FUNCTION + "    if a:\n        ", "\n    return b_and_c(d)\n", "x\n    y\nz = 1", "x\n    y"),
    # What closes the block belongs to it, and outside of one nothing is left of it.
    ("int f() {\n    ", "", "return 1;\n}\nint g() {}", "return 1;\n}"),
    ("int f() {\n    ", "", "a;\n#endif\n    return 1;\n", None),
    ("import os\n", "", "import re\nx = 1\n", None),
    # A fence, where the file has none.
    ("x = 1\n", "", "y = 2\n```\n\nThis code", "y = 2"),
    ("```\nx = 1\n", "", "y = 2\n```\n\nThis code", None),
]


def language(prefix: str) -> Syntax:
    """Return the syntax of the language that a prefix shows."""
    return syntax_of("", "", prefix)


def fill(ending: Ending, text: str) -> str:
    """Return what of a text is the fill."""
    found = ending.find(text)
    return text[: found[0]] if found else text


@pytest.mark.parametrize(("prefix", "suffix", "said", "expected"), SAID)
def test_a_fill_ends_before_what_is_none_of_it(
    prefix: str, suffix: str, said: str, expected: str | None
) -> None:
    """See the cases."""
    assert fill(ending_in(prefix, suffix, language(prefix)), said) == (
        said if expected is None else expected
    )


@given(prefix=texts(), suffix=texts(), said=texts(), name=st.sampled_from(LANGUAGES))
@example(prefix=" ", suffix="", said="\n\\b1\n", name="")
@settings(deadline=None)
def test_nothing_said_later_moves_an_end(prefix: str, suffix: str, said: str, name: str) -> None:
    """So a span can be closed while the rest of its canvas is still open."""
    ending = ending_in(prefix, suffix, syntax_of(name))
    if found := ending.find(said):
        start, end = found
        assert 0 <= start <= end <= len(said)
        again = ending.find(said[:end])
        assert again is not None
        assert again[0] == start


@given(lines=st.lists(st.text(st.sampled_from("ab (\t"), max_size=12), min_size=1, max_size=6))
def test_a_suffix_said_again_ends_the_fill(lines: list[str]) -> None:
    """Whatever stands behind, if it is long enough to be sure."""
    suffix = "\n    return everything\n" + "\n".join(lines)
    assert fill(ending_in("x = 1\n", suffix, syntax_of("python")), "y = 2" + suffix) == "y = 2"


def test_a_string_ends_a_fill_before_its_first_place() -> None:
    """The first of several."""
    assert fill(ending_at("\n```", "```"), "a\n```b```") == "a"


@pytest.mark.parametrize(
    ("prefix", "suffix", "said", "expected"),
    [
        # Line ends before the line are passed over.
        ("def area(w, h):", "\n", "\n    return w * h\n\n", "\n    return w * h"),
        ("function f() {", "\n", "\n\n  return 1;\n}", "\n\n  return 1;"),
        ("x = ", "\n", "1\ny = 2", "1"),
        # But not where the line goes on, and not in a comment.
        ('print("hello', '")\n', "\nworld\n", ""),
        ("# add two numbers", "\n", "\ndef add(a, b):\n", ""),
        ("// lim", "\n", "it\nconst a = 1;\n", "it"),
    ],
)
def test_one_line_is_the_first_that_says_something(
    prefix: str, suffix: str, said: str, expected: str
) -> None:
    """See the cases."""
    assert fill(line_ending(prefix, suffix, language(prefix)), said) == expected


@given(prefix=texts(), suffix=texts(), said=texts(), name=st.sampled_from(LANGUAGES),
       is_line=st.booleans())  # fmt: skip
@example(prefix="", suffix="", said="```a", name="markdown", is_line=True)
@example(prefix="", suffix="", said="```a", name="rust", is_line=True)
@example(prefix="", suffix="", said="  1", name="go", is_line=True)
@example(prefix="", suffix="*end", said="end", name="lua", is_line=True)
@example(prefix="'", suffix="return x", said="retureturn x", name="sh", is_line=False)
@example(prefix="", suffix=" f'", said="i f'", name="sh", is_line=False)
@example(prefix="a)\n", suffix="\n;;\nesac\n", said="b\n;;\nesac", name="sh", is_line=False)
@settings(deadline=None)
def test_what_is_firm_is_never_taken_back(
    prefix: str, suffix: str, said: str, name: str, *, is_line: bool
) -> None:
    """A stream shows the beginning of what the reply will be, at every step."""
    syntax = syntax_of(name)
    ending = (line_ending if is_line else ending_in)(prefix, suffix, syntax)
    reply = reconciled(fill(ending, said), prefix, suffix, syntax)
    for n in range(len(said) + 1):
        assert reply.startswith(ending.firm(fill(ending, said[:n])))


@pytest.mark.parametrize(
    ("name", "head", "tail", "body", "more"),
    [
        (
            "java",
            "class A {\n    int f() {\n        ",
            "\n    }\n}\n",
            "if (x) {\n            y();\n        }",
            "\n\n    public int g() {\n        return 1;\n    }\n",
        ),
        (
            "cpp",
            "class A {\n  int f() {\n    ",
            "\n  }\n};\n",
            "return 1;",
            "\n\n  private:\n  int x;\n",
        ),
        (
            "python",
            "class A:\n    def f(self):\n        ",
            "\n\n    def h(self):\n        pass\n",
            "return 1",
            "\n\n    def g(self):\n        return 2\n",
        ),
        (
            "c",
            "int f(void)\n{\n    ",
            "\n}\n",
            "int x = 1;\n#ifdef A\n    x = 2;\n#endif\n    return x;",
            "\n\nint g(void)\n{\n    return 1;\n",
        ),
    ],
)
def test_a_whole_body_ends_with_its_function(
    name: str, head: str, tail: str, body: str, more: str
) -> None:
    """The next function is none of it, whatever word it begins with."""
    begun = head[head.rfind("\n", 0, head.index("f(")) + 1 :]
    ending = ending_in(head, tail, syntax_of(name), floor=floor_of(begun))
    assert fill(ending, body + more) == body
    assert fill(ending, body) == body


def test_blanks_without_end_end_a_fill() -> None:
    """However many a file begins its lines with."""
    ending = ending_in("def f():\n    x = 1\n    ", "\n", syntax_of("python"))
    assert fill(ending, "y = 2\n" + 200 * " ").rstrip() == "y = 2"
    assert fill(ending, 200 * " ").strip() == ""
    assert ending.find(200 * " ") is not None
    deep = f"if a:\n{40 * ' '}b\n"
    assert fill(ending, deep) == deep
