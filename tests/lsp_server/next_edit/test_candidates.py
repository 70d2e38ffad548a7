"""Which places may have to follow a change."""

from __future__ import annotations

import pytest

from lsp_server.next_edit.candidates import MAX_PROSE, find_candidates
from lsp_server.next_edit.changes import meant


def groups(language: str, before: str, after: str) -> list[tuple[list[str], str]]:
    """Return each group as the lines its places stand in, and what is put there."""
    found = find_candidates(language, after, meant(before, after))
    return [
        ([after[: span.start].count("\n") for span in group.spans], group.texts[0])  # type: ignore[misc]
        for group in found
    ]


PYTHON = """\
class Box:
    def __init__(self, width, height):
        # The width.
        self.width = width
        self.height = height

    def area(self, scale):
        width = self.width * scale
        return width * self.height


def show(box, width):
    print(box.width, width, "width")
    return scale(width=width)
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # A parameter: in its function, and the comment there apart.
        ("self, width,", "self, breadth,", [([3], "breadth"), ([2], "breadth")]),
        # A member of `self`: in its class, and nothing else.
        ("self.width = width", "self.breadth = width", [([7], "breadth")]),
        # A local: to the end of its function.
        ("        width = self", "        broad = self", [([8], "broad")]),
        # Never inside of other words, and nothing of another function.
        ("(self, scale)", "(self, factor)", [([7], "factor")]),
    ],
)
def test_python(old: str, new: str, expected: list[tuple[list[int], str]]) -> None:
    """What the tree lets mean the same, in groups of what hangs together."""
    assert groups("python", PYTHON, PYTHON.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("language", "text", "old", "new", "lines"),
    [
        ("go", "func f(n int) int {\n\treturn n + 1\n}\nfunc g(n int) int { return n }\n",
         "f(n", "f(count", [1]),
        ("rust", "fn f(n: i32) -> i32 {\n    let x = n;\n    n + x\n}\n", "f(n", "f(count", [1, 2]),
        ("java", "class A {\n  int n;\n  int f(int n) {\n    return n;\n  }\n}\n",
         "(int n", "(int count", [3]),
        ("c", "int f(int n) {\n  return n;\n}\nint g(int n) { return n; }\n",
         "f(int n", "f(int count", [1]),
        ("typescript", "function f(n: number) {\n  return { n: n };\n}\n",
         "f(n", "f(count", [1]),
        ("python", "def f(a):\n    return a\n\n\ndef g(f):\n    return f(1)\n\n\nprint(f(1))\n",
         "def f", "def h", [8]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)  # fmt: skip
def test_scopes(language: str, text: str, old: str, new: str, lines: list[int]) -> None:
    """A binding reaches as far as its function, and not where another function binds the word."""
    assert groups(language, text, text.replace(old, new, 1))[0][0] == lines


def test_what_is_known_already_is_told() -> None:
    """One name for another that stands there is seldom meant throughout."""
    text = "def f(a, b):\n    x = a + b\n    return a * x\n"
    after = text.replace("= a", "= b")
    (group,) = find_candidates("python", after, meant(text, after))
    assert group.is_known
    assert not group.is_bound


def test_an_expression_in_the_place_of_a_name_binds_nothing() -> None:
    """It is no rename, though it was made where the name is bound."""
    text = "def f(a):\n    b = a\n    return b\n"
    for new, is_bound in (("c", True), ("a.c", False)):
        after = text.replace("    b", f"    {new}", 1)
        (group,) = find_candidates("python", after, meant(text, after))
        assert group.is_bound == is_bound


def test_an_expression_changed_is_changed_elsewhere() -> None:
    """The smallest one around the change that stands somewhere else, too."""
    text = "a = load(path)\nb = load(path)\nc = load(other)\n"
    assert groups("python", text, text.replace("load(path)", "load(path, True)", 1)) == [
        ([1], "load(path, True)")
    ]


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("cobol", "width = 1\nwidth\n", "breadth = 1\nwidth\n"),
        ("python", "return x\nreturn y\n", "yield x\nreturn y\n"),
        ("python", "a = b\n", "a = b\n"),
        ("python", "a = b\na\n", "a = (\n  b)\na\n"),
        ("python", "# the cat\n" * (MAX_PROSE + 2), "# a cat\n" + "# the cat\n" * (MAX_PROSE + 1)),
    ],
    ids=["no grammar", "keyword", "no change", "several lines", "prose"],
)
def test_nothing_follows(language: str, before: str, after: str) -> None:
    """No grammar, a word of the language, a word that people say all the time."""
    assert groups(language, before, after) == []


@pytest.mark.parametrize(
    ("language", "text", "after", "put"),
    [
        (
            "javascript",
            "function f(size) {\n  return { size, area: size };\n}\n",
            "function f(length) {\n  return { size, area: size };\n}\n",
            ("size: length", "length"),
        ),
        (
            "rust",
            "fn f(n: i32) -> T {\n    T { n, m: n }\n}\n",
            "fn f(count: i32) -> T {\n    T { n, m: n }\n}\n",
            ("n: count", "count"),
        ),
    ],
    ids=["javascript", "rust"],
)
def test_a_label_that_is_its_value_stays_a_label(
    language: str, text: str, after: str, put: tuple[str, ...]
) -> None:
    """Else the field would be another one."""
    (group,) = find_candidates(language, after, meant(text, after))
    assert group.texts == put
