"""What a file defines, and what it takes from others, in every language that has a grammar."""

from __future__ import annotations

import pytest
from support.editors import ROOT

from lsp_server.project.definitions import find_definitions, find_names
from lsp_server.project.imports import Import, find_imports
from lsp_server.project.rules import RULES
from lsp_server.syntax.languages import GRAMMARS

PYTHON = '''
"""A module."""
LIMIT = 3
class Circle(Shape):
    """Round.

    More."""
    radius: float = 1.0
    def __init__(
        self,
        client: Client,
    ) -> None:
        """Make it."""
        self.client = client
        self.pen = Pen(1)
    async def area(self) -> float:  # exact
        return 1.0
'''
TYPESCRIPT = """
/** A shape.
 * More. */
export interface Shape { name: string; area(x: number): number }
export class Circle extends Base {
  // Makes it.
  constructor(private r: number) { super(); this.pen = new Pen() }
}
export enum Color { Red, Green = 'g' }
export const make = async (r: number): Promise<Circle> => { return 1 }
"""
GO = """
package shapes
// Circle is round.
type Circle struct {
	Radius float64
}
// Area returns it.
func (c *Circle) Area(x int) (float64, error) { return 0, nil }
const Limit = 3
"""
RUST = """
/// Round.
#[derive(Debug)]
pub struct Circle { pub radius: f64 }
impl Circle {
    /// Of it.
    pub fn area(&self) -> f64 { 0.0 }
}
pub enum Color { Red, Green(u8) }
"""
JAVA = """
/** Round. */
public class Circle extends Shape {
  public Circle(double r) { }
  public double area(int x) { return 1; }
}
"""
C = """
#define LIMIT 3
/* Round. */
typedef struct circle { double r; } circle_t;
double area(const circle_t *c);
enum color { RED };
"""
JAVASCRIPT = """
const path = require('path')
/** Runs. */
function run(a, b) { return 1 }
exports.go = function (x) { return 2 }
module.exports = { run }
"""
CPP = "namespace a {\nclass Circle { public: double area() const { return 1; } };\n}\n"
LUA = "--- Does it.\nfunction M.area(r, x) return 1 end\nlocal function helper(z) end\n"


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        (
            "python",
            PYTHON,
            {
                (".LIMIT", "LIMIT = 3", ""),
                (".Circle", "class Circle(Shape)", "Round."),
                ("Circle.radius", "radius: float = 1.0", ""),
                ("Circle.__init__", "def __init__(self, client: Client) -> None", "Make it."),
                ("Circle.client", "client", ""),
                ("Circle.pen", "pen: Pen", ""),
                ("Circle.area", "async def area(self) -> float", ""),
            },
        ),
        (
            "typescript",
            TYPESCRIPT,
            {
                (".Shape", "interface Shape", "A shape."),
                ("Shape.area", "area(x: number): number", ""),
                ("Circle.constructor", "constructor(private r: number)", "Makes it."),
                ("Circle.pen", "pen: Pen", ""),
                ("Color.Red", "Red", ""),
                ("Color.Green", "Green = 'g'", ""),
                (".make", "const make = async (r: number): Promise<Circle>", ""),
            },
        ),
        (
            "go",
            GO,
            {
                (".Circle", "Circle struct", "Circle is round."),
                ("Circle.Radius", "Radius float64", ""),
                (
                    "Circle.Area",
                    "func (c *Circle) Area(x int) (float64, error)",
                    "Area returns it.",
                ),
                (".Limit", "Limit = 3", ""),
            },
        ),
        (
            "rust",
            RUST,
            {
                (".Circle", "pub struct Circle", "Round."),
                ("Circle.radius", "pub radius: f64", ""),
                ("Circle.area", "pub fn area(&self) -> f64", "Of it."),
                ("Color.Green", "Green(u8)", ""),
            },
        ),
        (
            "java",
            JAVA,
            {
                (".Circle", "public class Circle extends Shape", "Round."),
                ("Circle.Circle", "public Circle(double r)", ""),
                ("Circle.area", "public double area(int x)", ""),
            },
        ),
        (
            "c",
            C,
            {
                (".LIMIT", "#define LIMIT 3", ""),
                (".circle_t", "typedef struct circle", "Round."),
                ("circle_t.r", "double r", ""),
                (".area", "double area(const circle_t *c)", ""),
                ("color.RED", "RED", ""),
            },
        ),
        (
            "javascript",
            JAVASCRIPT,
            {
                (".run", "function run(a, b)", "Runs."),
                (".go", "exports.go = function (x)", ""),
            },
        ),
        (
            "cpp",
            CPP,
            {(".Circle", "class Circle", ""), ("Circle.area", "double area() const", "")},
        ),
        (
            "lua",
            LUA,
            {
                (".area", "function M.area(r, x)", "Does it."),
                (".helper", "local function helper(z)", ""),
            },
        ),
    ],
)
def test_signatures_and_what_is_said(
    language: str, text: str, wanted: set[tuple[str, str, str]]
) -> None:
    """Names with their owners, signatures in one line without bodies, the first line of the doc."""
    found = {
        (f"{one.owner}.{one.name}", one.signature, one.doc)
        for one in find_definitions(language, text)
    }
    assert wanted <= found
    assert not any(name in (".path", ".exports") for name, _, _ in found)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", PYTHON),
        ("typescript", TYPESCRIPT),
        ("go", GO),
        ("rust", RUST),
        ("java", JAVA),
        ("c", C),
        ("javascript", JAVASCRIPT),
        ("cpp", CPP),
        ("lua", LUA),
        *(("python", path.read_text()) for path in sorted((ROOT / "lsp_server").rglob("*.py"))),
    ],
)
def test_names_alone_are_those_of_the_definitions(language: str, text: str) -> None:
    """In their order; what has too long a signature to be shown may come on top."""
    names = [one.name for one in find_definitions(language, text) if not one.owner]
    found = find_names(language, text)
    assert [name for name in found if name in names] == [*dict.fromkeys(names)]
    assert len(found) - len(set(names)) <= 1


def test_a_long_signature_still_has_a_name() -> None:
    """Its file is found by it; what would be shown of it is too long."""
    text = f"def wide({', '.join(f'argument_{n}' for n in range(60))}): ...\n"
    assert find_definitions("python", text) == []
    assert find_names("python", text) == ("wide",)


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("python", "from .a import (b, c as d,  # x\n  e)\n", [
            Import("b", ".a", "b"), Import("d", ".a", "c"), Import("e", ".a", "e"),
        ]),
        ("python", "import os.path as osp\nfrom x import *\n", [
            Import("", "x", "*"), Import("osp", "os.path", ""),
        ]),
        ("typescript", "import type { A, B as C } from './x.js'\nimport d, * as ns from '../y'\n", [
            Import("A", "./x.js", "A"), Import("C", "./x.js", "B"),
            Import("d", "../y", "default"), Import("ns", "../y", ""),
        ]),
        ("javascript", "const { a, b: c } = require('./u')\nconst x = require('y')\n", [
            Import("a", "./u", "a"), Import("c", "./u", "b"), Import("x", "y", ""),
        ]),
        ("go", 'import (\n\ttea "g.com/c/bubbletea"\n\t"g.com/d/v2"\n)\n', [
            Import("tea", "g.com/c/bubbletea", ""), Import("d", "g.com/d/v2", ""),
        ]),
        ("rust", "use crate::a::{self, b::{C as D, e}};\n", [
            Import("a", "crate", "a"), Import("D", "crate::a::b", "C"),
            Import("e", "crate::a::b", "e"),
        ]),
        ("java", "import a.c.Foo;\nimport static a.D.e;\nimport x.y.*;\n", [
            Import("Foo", "a.c.Foo", "Foo"), Import("e", "a.D", "e"), Import("", "x.y", "*"),
        ]),
        ("c", '#include "x/y.h"\n', [Import("", "x/y.h", "*")]),
        ("lua", 'local util = require("a.util")\n', [Import("util", "a.util", "")]),
    ],
)  # fmt: skip
def test_imports(language: str, text: str, wanted: list[Import]) -> None:
    """Which name stands for which name of which module."""
    assert find_imports(language, text) == wanted


def test_every_grammar_has_its_rules() -> None:
    """A language that is filled is indexed."""
    assert {grammar.module for grammar in GRAMMARS.values()} == set(RULES)


@pytest.mark.parametrize("language", sorted(GRAMMARS))
@pytest.mark.parametrize(
    "text",
    ["", "(" * 3000, "x" * 200_000, " " * 200_000, "import " * 20_000, "from a import (" * 9000,
     "use a::" * 20_000, "class A:\n" * 5000, "\x00\ud800".encode("utf-8", "replace").decode(),
     "= ; = ; local = function ( end class { } type func"],
    ids=["nothing", "brackets", "word", "blanks", "imports", "froms", "uses", "classes", "bytes",
         "fragments"],
)  # fmt: skip
def test_any_text_is_read(language: str, text: str) -> None:
    """Half a file, or none at all: nothing is raised, and it ends."""
    find_definitions(language, text)
    find_imports(language, text)
