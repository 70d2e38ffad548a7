"""What of other files is shown at a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.workspace import Workspace

from lsp_server.project.choice import choose
from lsp_server.project.wanted import Document

if TYPE_CHECKING:
    from pathlib import Path

    from lsp_server.project.wanted import Line

SHAPES = '''
class Circle:
    """Round."""
    def __init__(self, radius: float) -> None:
        """Make it."""
        self.radius = radius
    def area(self) -> float:
        """Return the area."""
        return 1.0
def unit() -> Circle:
    return Circle(1)
'''


def test_what_an_imported_name_means_is_shown(tmp_path: Path) -> None:
    """With its constructor and members, and what is said of each."""
    workspace = Workspace(tmp_path, {"geo/shapes.py": SHAPES})
    shown = workspace.shown("geo/a.py", "from .shapes import Circle\n\nc = Circle(|\n")
    assert shown == (
        "== geo/shapes.py\nclass Circle  # Round.\n"
        "    def __init__(self, radius: float) -> None  # Make it.\n"
        "    radius\n    def area(self) -> float  # Return the area.\n"
    )


@pytest.mark.parametrize(
    ("files", "path", "text", "wanted"),
    [
        (
            {"p/__init__.py": "from p.inner import area\n", "p/inner.py": "def area(w, h): ...\n"},
            "q.py", "from p import area\nx = area(|\n", "def area(w, h)",
        ),
        (
            {"p/tools.py": "def area(w, h): ...\n"},
            "q.py", "from p import tools\nx = tools.|\n", "def area(w, h)",
        ),
        (
            {"p/shapes.py": SHAPES},
            "q.py", "from p.shapes import unit\ndef f():\n    one = unit()\n    one.|\n",
            "def area(self) -> float",
        ),
        (
            {"src/list.ts": "export class List { add(one: string): void {} }\n"},
            "src/a.ts", "import { List } from './list.js'\nfunction f(l: List) { l.| }\n",
            "add(one: string): void",
        ),
        (
            {"lib/u.js": "function pad(text, n) { return text }\nmodule.exports = { pad }\n"},
            "lib/a.js", "const { pad } = require('./u')\nconst x = pad(|\n",
            "function pad(text, n)",
        ),
        (
            {"pkg/shape.go": "package pkg\nfunc Area(w, h int) int { return 1 }\n"},
            "pkg/a.go", "package pkg\nfunc f() { x := Area(| }\n", "func Area(w, h int) int",
        ),
        (
            {"m/pkg/shape.go": "package pkg\nfunc Area(w, h int) int { return 1 }\n"},
            "m/a.go", 'package m\nimport "g.com/x/m/pkg"\nfunc f() { pkg.| }\n',
            "func Area(w, h int) int",
        ),
        (
            {"src/geo/shape.rs": "pub fn area(w: u8) -> u8 { 1 }\n"},
            "src/main.rs", "use crate::geo::shape::area;\nfn main() { let x = area(| }\n",
            "pub fn area(w: u8) -> u8",
        ),
        (
            {"src/a/b/Shape.java": "public class Shape { public int area(int w) { return 1; } }\n"},
            "src/a/Main.java", "import a.b.Shape;\nclass Main { void f(Shape s) { s.| } }\n",
            "public int area(int w)",
        ),
        (
            {"inc/shape.h": "int area(int w, int h);\n"},
            "inc/a.c", '#include "shape.h"\nint f(void) { return area(|); }\n',
            "int area(int w, int h)",
        ),
        (
            {"a/util.lua": "local M = {}\nfunction M.pad(text, n) return text end\nreturn M\n"},
            "b.lua", 'local util = require("a.util")\nlocal x = util.|\n',
            "function M.pad(text, n)",
        ),
        (
            {"anywhere/one.py": "class UserRepository:\n    def find(self, key): ...\n"},
            "q.py", "repository = UserRepository(|\n", "class UserRepository",
        ),
        (
            {"base.py": "class Base:\n    def close(self, hard=False): ...\n"},
            "q.py", "from base import Base\nclass A(Base):\n    def f(self):\n        self.|\n",
            "def close(self, hard=False)",
        ),
    ],
    ids=["handed on", "module", "what makes it", "TypeScript", "require", "Go package",
         "Go import", "Rust", "Java", "C", "Lua", "no import", "what is extended"],
)  # fmt: skip
def test_names_are_followed(
    tmp_path: Path, files: dict[str, str], path: str, text: str, wanted: str
) -> None:
    """Through imports of every kind, instances, and what a type extends."""
    assert wanted in Workspace(tmp_path, files).shown(path, text)


@pytest.mark.parametrize(
    "text",
    [
        "from .shapes import Circle\ndef Circle(): ...\nc = Circle(|\n",
        "from os import path\nx = path.|\n",
        "x = 1 + |\n",
    ],
    ids=["its own", "from outside", "nothing"],
)
def test_nothing_is_shown_that_is_not_meant(tmp_path: Path, text: str) -> None:
    """What the file defines itself, and what no file of the workspace does."""
    files = {"shapes.py": SHAPES, "lib/path.py": "def join(a): ...\n"}
    assert Workspace(tmp_path, files).shown("a.py", text) == ""


def test_as_much_as_fits_is_shown(tmp_path: Path) -> None:
    """Whole lines, the nearest first; never more bytes than are allowed."""
    names = [f"name_{n}" for n in range(40)]
    files = {"many.py": "".join(f"def {name}(one, two): ...\n" for name in names)}
    workspace = Workspace(tmp_path, files)
    text = f"from many import {', '.join(names)}\n" + "\n".join(names[:39]) + "\n" * 60
    shown = workspace.shown("a.py", text + "x = name_39(|\n", n_bytes=200)
    assert "def name_39(one, two)\n" in shown
    assert len(shown.encode()) <= 200 + len("== ")
    assert all(line.endswith(")") for line in shown.splitlines()[1:])


def test_from_key_to_key_the_same_is_shown(tmp_path: Path) -> None:
    """What is typed changes nothing; a name that comes in anew comes last."""
    files = {
        "shapes.py": SHAPES,
        "pens.py": "class Pen:\n    def draw(self, what): ...\n",
    }
    workspace = Workspace(tmp_path, files)
    head = "from shapes import Circle\n" + "x = 1\n" * 30
    lines: list[Line] = []
    for typed in ("c = Cir", "c = Circle(ra", "c = Circle(radius=1)\n"):
        before, text = lines, head + typed
        workspace.index.open("a.py", text)
        lines = choose(Document(workspace.index, "a.py", "python", text, len(text)), 1000, lines)
        assert {line.path for line in lines} == {"shapes.py"}
        assert before in ([], lines)
    text = "from pens import Pen\n" + text + "p = Pen("
    workspace.index.open("a.py", text)
    more = choose(Document(workspace.index, "a.py", "python", text, len(text)), 1000, lines)
    assert more[: len(lines)] == lines
    assert more[-1].path == "pens.py"


def test_what_has_changed_is_not_shown_as_it_was(tmp_path: Path) -> None:
    """Nobody has told of the change; the file itself is looked at."""
    workspace = Workspace(tmp_path, {"shapes.py": SHAPES})
    text = "from shapes import unit\nc = unit(|\n"
    assert "def unit() -> Circle" in workspace.shown("a.py", text)
    workspace.write({"shapes.py": "def unit(scale: int) -> int: ...  # longer by some\n"})
    assert "def unit(scale: int) -> int" in workspace.shown("a.py", text)
    (tmp_path / "shapes.py").unlink()
    assert workspace.shown("a.py", text) == ""
