"""What follows from a change without being the same replacement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.next_edit.asking import build_request
from lsp_server.next_edit.changes import meant
from lsp_server.next_edit.declared import follow_type
from lsp_server.next_edit.members import follow_member
from lsp_server.next_edit.signatures import follow_signature
from lsp_server.next_edit.unbound import follow_unbound

if TYPE_CHECKING:
    from lsp_server.next_edit.places import Candidates

_CHANGE = re.compile(r"⟦(.*?)→(.*?)⟧", re.DOTALL)


def edited(marked: str) -> tuple[str, str]:
    """Return a file before and after the change that is marked in it as ⟦old→new⟧."""
    return _CHANGE.sub(r"\1", marked), _CHANGE.sub(r"\2", marked)


def told(after: str, groups: list[Candidates]) -> list[list[str]]:
    """Return each group's places: their line with `«»` around what is replaced, and by what."""
    found = []
    for group in groups:
        lines = []
        for put in group.puts:
            start, end = put.span
            first = after.rfind("\n", 0, start) + 1
            last = after.find("\n", end)
            new = f"{put.text}{'…' if put.is_open else ''}{put.behind}"
            line = f"{after[first:start]}«{after[start:end]}→{new}»{after[end:last]}"
            lines.append(line.strip())
        found.append(lines)
    return found


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        # Put in: behind the others, before them, between them, into an empty list.
        ("python", "def f(a⟦→, b⟧):\n    pass\n\n\nx = f(1)\n", [["x = f(1«→, …»)"]]),
        ("python", "def f(⟦→b, ⟧a):\n    pass\n\n\nx = f(1)\n", [["x = f(«→…, »1)"]]),
        ("python", "def f(a, ⟦→c, ⟧b):\n    pass\n\n\nx = f(1, 2)\n", [["x = f(1, «→…, »2)"]]),
        ("python", "def f(⟦→a⟧):\n    pass\n\n\nx = f()\n", [["x = f(«→…»)"]]),
        # By its name, where it has to be, and where the others are handed over so.
        ("python", "def f(a, *⟦→, b⟧):\n    pass\n\n\nx = f(1)\n", [["x = f(1«→, b=…»)"]]),
        ("python", "def f(a, b⟦→, c⟧):\n    pass\n\n\nx = f(a=1, b=2)\n",
         [["x = f(a=1, b=2«→, c=…»)"]]),
        # A variable of its name is the likeliest to be handed over.
        ("python", "def f(a⟦→, b⟧):\n    pass\n\n\ndef g(b):\n    f(1)\n",
         [["f(1«→, b»)"], ["f(1«→, …»)"]]),
        # Taken out, by its place or by its name, with the comma that parts it from the next.
        ("python", "def f(⟦a, →⟧b):\n    pass\n\n\nx = f(1, 2)\n", [["x = f(«1, →»2)"]]),
        ("python", "def f(a⟦, b→⟧):\n    pass\n\n\nx = f(1, b=2)\ny = f(b=1, a=2)\n",
         [["x = f(1«, b=2→»)", "y = f(«b=1, →»a=2)"]]),
        ("python", "def f(⟦a→⟧):\n    pass\n\n\nx = f(1)\n", [["x = f(«1→»)"]]),
        # In another order.
        ("python", "def f(⟦a, b→b, a⟧):\n    pass\n\n\nx = f(one, two)\n",
         [["x = f(«one→two», two)", "x = f(one, «two→one»)"]]),
        # Of a method: on its own object for sure, on another one perhaps.
        ("python", ("class A:\n    def f(self, a⟦→, b⟧):\n        pass\n\n    def g(self):\n"
         "        self.f(1)\n\n\nother.f(2)\nf(3)\n"),
         [["self.f(1«→, …»)"], ["other.f(2«→, …»)"]]),
        ("python", "class A:\n    def __init__(self, a⟦, b→⟧):\n        pass\n\n\nx = A(1, 2)\n",
         [["x = A(1«, 2→»)"]]),
        ("typescript", "function f(a: number⟦→, b: string⟧) {}\nf(1);\n", [["f(1«→, …»);"]]),
        ("typescript", "const f = (a: number⟦, b: string→⟧) => a;\nf(1, 'é');\n",
         [["f(1«, 'é'→»);"]]),
        ("go", "func f(a, b int⟦, c bool→⟧) {}\n\nfunc g() {\n\tf(1, 2, true)\n}\n",
         [["f(1, 2«, true→»)"]]),
        ("rust", "fn f(a: i32⟦, b: i32→⟧) {}\nfn g() {\n    f(1, 2);\n}\n", [["f(1«, 2→»);"]]),
        ("java", "class A {\n  void f(int a⟦, int b→⟧) {}\n  void g() {\n    f(1, 2);\n  }\n}\n",
         [["f(1«, 2→»);"]]),
        ("c", "int f(int a, int b);\n\nint f(int a⟦, int b→⟧) {\n  return f(1, 2);\n}\n",
         [["int f(int a«, int b→»);", "return f(1«, 2→»);"]]),
        # A prototype is the same function, and another class's method of the name perhaps.
        ("c", ("int f(int a);\n\nint f(int a⟦→, int b⟧) {\n  return a;\n}\nint g(int b) {\n"
         "  return f(1);\n}\n"),
         [["int f(int a«→, int b»);", "return f(1«→, b»);"],
          ["int f(int a«→, int b»);", "return f(1«→, …»);"]]),
        ("python", ("class A:\n    def f(self, a⟦→, b=1⟧):\n        pass\n\n\nclass B:\n"
         "    def f(self, a):\n        pass\n"), [["def f(self, a«→, b=1»):"]]),
        ("lua", "function M.f(a⟦, b→⟧)\nend\nM.f(1, 2)\n", [["M.f(1«, 2→»)"]]),
    ],
)  # fmt: skip
def test_calls_follow_a_signature(language: str, marked: str, expected: list[list[str]]) -> None:
    """Whatever is put in, taken out or moved, by place or by name."""
    before, after = edited(marked)
    assert told(after, follow_signature(language, after, meant(before, after))) == expected


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("python", "def f(a⟦→, b=1⟧):\n    pass\n\n\nf(1)\n"),
        ("python", "def f(a⟦→, b⟧):\n    pass\n\n\nf(1, 2)\n"),
        ("python", "def f(a⟦→, b⟧):\n    pass\n\n\nf(*all)\n"),
        ("python", "def f(*a⟦→, b⟧):\n    pass\n\n\nf(1)\n"),
        ("python", "def f(a⟦→: int⟧):\n    pass\n\n\nf(1)\n"),
        ("python", "def f(⟦a→b⟧):\n    pass\n\n\nf(1)\n"),
        ("python", "def f(a⟦→, b⟧):\n    pass\n\n\ndef g(f):\n    f(1)\n"),
        ("python", "f(1⟦→, 2⟧)\nf(1)\n"),
        ("typescript", "function f(a: number⟦→, b?: string⟧) {}\nf(1);\n"),
        ("go", "func f(a int⟦→, b ...int⟧) {}\n\nfunc g() {\n\tf(1)\n}\n"),
        ("cobol", "def f(a⟦→, b⟧):\n    pass\n\n\nf(1)\n"),
    ],
    ids=["default", "handed over", "spread", "takes a list", "annotated", "renamed", "shadowed",
         "a call", "optional", "variadic", "no grammar"],
)  # fmt: skip
def test_calls_that_fit_stay(language: str, marked: str) -> None:
    """What needs nothing, and what can't be told, is left alone."""
    before, after = edited(marked)
    assert follow_signature(language, after, meant(before, after)) == []


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", "def f(xs):\n    for ⟦i in range(len(xs))→x in xs⟧:\n        print(xs[i])\n",
         [["print(«xs[i]→…»)"], ["print(xs[«i→x»])"]]),
        ("python", "import numpy⟦→ as np⟧\n\nx = numpy.ones(1)\n",
         [["x = «numpy→np».ones(1)"]]),
        ("python", "⟦import random→from random import choice⟧\n\nx = random.choice(y)\n",
         [["x = «random.choice→…»(y)"], ["x = «random→choice».choice(y)"]]),
        ("python", "from a import ⟦b→(c, d)⟧\n\nx = b()\n", [["x = «b→…»()"]]),
    ],
)  # fmt: skip
def test_uses_without_a_binding(language: str, marked: str, expected: list[list[str]]) -> None:
    """The expressions that they are part of said anew, or the new name throughout."""
    before, after = edited(marked)
    assert told(after, follow_unbound(language, after, meant(before, after))) == expected


@pytest.mark.parametrize(
    "marked",
    [
        "import os\n⟦import sys→⟧\n\nx = sys.path\n",
        "import os\n⟦→import sys⟧\n\nx = os.path\n",
        "def f():\n    ⟦a = 1→b = 1⟧\n    a = 2\n    return a\n",
        "from a import ⟦b→c⟧\n\nx = b()\n",
        "⟦a, b = 1, 2→c, d = 1, 2⟧\nx = a + b\n",
    ],
    ids=["taken away", "added", "bound again", "the same replacement", "two names"],
)
def test_uses_that_nothing_is_known_of(marked: str) -> None:
    """Where a name is only taken away, or still bound, or it is no one name."""
    before, after = edited(marked)
    assert follow_unbound("python", after, meant(before, after)) == []


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("python", ("class A:\n    ⟦b→c⟧: int = 0\n\n    def f(self):\n        return self.b\n\n\n"
         "class B:\n    def f(self):\n        return self.b\n\n\nprint(a.b)\nb = 1\n"),
         [["return self.«b→c»"], ["print(a.«b→c»)"]]),
        ("python", "class A:\n    def ⟦b→c⟧(self):\n        return self.b()\n",
         [["return self.«b→c»()"]]),
        ("typescript", "interface A {\n  ⟦b→c⟧: number;\n}\nf(a.b);\n", [["f(a.«b→c»);"]]),
        ("go", "type A struct {\n\t⟦B→C⟧ int\n}\n\nfunc f(a A) int {\n\treturn a.B\n}\n",
         [["return a.«B→C»"]]),
        ("rust", ("struct A {\n    ⟦b→c⟧: i32,\n}\nimpl A {\n    fn f(&self) -> i32 {\n"
         "        self.b\n    }\n}\n"), [["self.«b→c»"]]),
    ],
)  # fmt: skip
def test_members_follow_their_declaration(
    language: str, marked: str, expected: list[list[str]]
) -> None:
    """In their class for sure; on other objects those that become doubtful."""
    before, after = edited(marked)
    groups = follow_member(language, after, meant(before, after))
    assert told(after, groups) == expected
    assert [group.is_loose for group in groups] == [
        not line.startswith("return self") for (line, *_) in expected
    ]


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("typescript", ("interface A {\n  b: ⟦string→number⟧;\n}\nclass B {\n  b: string;\n"
         "  c: string;\n}\n"), []),
        ("typescript", "function f(b: ⟦string→number⟧) {}\nfunction g(b: string, c: string) {}\n",
         [["function g(b«: string→: number», c: string) {}"]]),
        ("c", "int f(⟦int→long⟧ n) {\n  return n;\n}\nint g(int n, int m) {\n  return n;\n}\n",
         [["int g(«int→long» n, int m) {"]]),
    ],
)  # fmt: skip
def test_what_is_declared_twice(language: str, marked: str, expected: list[list[str]]) -> None:
    """The same type of the same name, in a declaration of the same kind."""
    before, after = edited(marked)
    assert told(after, follow_type(language, after, meant(before, after))) == expected


@given(st.text(alphabet="def f(a, b):\n é=*[].1x", max_size=60), st.data())
def test_whatever_is_typed_its_places_are_in_order_and_apart(
    text: str, data: st.DataObject
) -> None:
    """No change of any text makes places that are not of it, or that overlap."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    after = (
        text[:start] + data.draw(st.sampled_from(["", "a", ", b", "(x", "for i in"])) + text[end:]
    )
    request = build_request("python", after, meant(text, after))
    for group in request.groups if request else ():
        ends = [at for place in group.places for at in (place.start, place.end)]
        assert ends == sorted(ends)
        assert all(0 <= at <= len(after) for at in ends)
