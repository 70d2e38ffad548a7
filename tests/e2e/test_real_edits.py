"""Edits with the real default model, from a document to the one after: whole, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from support.default_model import default_model
from support.marked import snapshot_of, unmark
from support.tiny_canvas import Listener, Patience

from lsp_server.fill.infill import fill, make_plan
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Settings
from lsp_server.syntax.check import find_faults
from lsp_server.syntax.whole import find_lacks
from model_runtime.engines.local import LocalEngine
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from lsp_server.fill.filled import Filled
    from model_runtime.protocol import Finished, InfillRequest

pytestmark = pytest.mark.real_model

STATISTICS = '''def mean(xs):
    """Return the arithmetic mean of the numbers."""
    return ___


def variance(xs):
    """Return the population variance of the numbers."""
    m = mean(xs)
    return ___


def standardize(xs):
    """Return the numbers less their mean, divided by their standard deviation."""
    m, s = mean(xs), variance(xs) ** 0.5
    return ___
'''
CART = """interface Item {
  price: number;
  quantity: number;
}

/** Returns the sum of price times quantity over all items. */
export function subtotal(items: Item[]): number {
  $0___$0
}

/** Returns how many pieces there are in all. */
export function pieces(items: Item[]): number {
  ___
}
"""
TOTAL = """interface Item {
  price: number;
  quantity: number;
}

/** Returns the total price of all items, less the discount (0 to 1). */
export function total(items: Item[], discount: number): number {
  $0___$0
}
"""
STACK = """pub struct Stack<T> {
    items: Vec<T>,
}

impl<T> Stack<T> {
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Removes the last item and returns it.
    pub fn pop(&mut self) -> Option<T> {
        $0todo!()$0
    }
}
"""


class Runtime:
    """The runtime without its process: the engine with the real model."""

    def __init__(self) -> None:
        self._engine = LocalEngine(RuntimeSettings())
        self._engine._model = default_model()

    async def infill(self, request: InfillRequest, on_report: object = None) -> Finished:
        """Answer as the runtime does."""
        del on_report
        return self._engine.infill(request, Listener(), Patience())


def edited(marked: str, language: str, **params: Any) -> Filled:
    """Return the edit of a marked document."""
    text, selections = unmark(marked)
    plan = make_plan(
        snapshot_of(text, language),
        InfillParams(uri="", seed=0, **params),
        Settings(),
        selections=selections,
    )
    return asyncio.run(fill(Runtime(), plan))  # type: ignore[arg-type]  # of it, only `infill`


def run(text: str) -> dict[str, Any]:
    """Return what a Python file defines."""
    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102  the point
    return names


def test_holes_do_not_poison_each_other() -> None:
    """Three functions that each return a hole: each does what it says, as it would alone."""
    names = run(edited(STATISTICS, "python", mode="holes").text)
    assert names["mean"]([1, 2, 6]) == 3
    assert names["variance"]([1, 2, 6]) == pytest.approx(14 / 3)


@pytest.mark.parametrize("mode", ["infill", "holes"])
def test_a_marker_is_never_said(mode: str) -> None:
    """Other functions' markers are not taken for what a body looks like."""
    marked = CART if mode == "infill" else CART.replace("$0", "")
    filled = edited(marked, "typescript", mode=mode)
    assert all("___" not in text and "return" in text for text in filled.best.texts)
    assert find_faults("typescript", filled.text) == []


def test_a_body_is_whole() -> None:
    """A function that declares a result gives one, and uses what it declares."""
    filled = edited(TOTAL, "typescript")
    at = filled.plan.spans[0].start
    assert find_faults("typescript", filled.text) == []
    assert find_lacks("typescript", filled.text, at) == []


def test_code_is_never_replaced_by_nothing() -> None:
    """Either a body comes, or what stands there stays and the user is told."""
    filled = edited(STACK, "rust")
    if filled.silence:
        assert filled.text == filled.plan.snapshot.text
    else:
        assert "self.items.pop()" in filled.text
        assert find_faults("rust", filled.text) == []


def test_an_instruction_for_a_body_says_no_head() -> None:
    """The function is not said again inside of itself."""
    marked = 'def double(xs):\n    """Return each number times two."""\n    $0pass$0\n'
    filled = edited(marked, "python", instruction="Implement the function.")
    assert filled.text.count("def ") == 1
    assert run(filled.text)["double"]([1, 2]) == [2, 4]


@pytest.mark.parametrize(
    ("language", "marked", "instruction", "head"),
    [
        (
            "javascript",
            "function clamp(x, low, high) {\n  $0return x;$0\n}\n",
            "Keep x between low and high.",
            "function clamp",
        ),
        (
            "go",
            "package a\n\nfunc Max(xs []int) int {\n\t$0panic(0)$0\n}\n",
            "Return the largest number; panic on an empty slice.",
            "func Max",
        ),
        (
            "java",
            "class A {\n    int half(int x) {\n        $0return 0;$0\n    }\n}\n",
            "Return half of x, rounded down.",
            "int half",
        ),
        (
            "rust",
            "fn area(w: u32, h: u32) -> u32 {\n    $0w + h$0\n}\n",
            "The area is the product.",
            "fn area",
        ),
        (
            "python",
            "def read(path):\n    $0f = open(path)\n    s = f.read()$0\n    return s\n",
            "use a with statement",
            "def read",
        ),
    ],
)
def test_an_instruction_is_cut_to_its_span(
    language: str, marked: str, instruction: str, head: str
) -> None:
    """The file parses, its head stands once, and no fence or prose comes through."""
    mode = "rewrite" if language == "python" else "infill"
    filled = edited(marked, language, instruction=instruction, mode=mode)
    assert filled.replacements
    assert filled.text.count(head) == 1
    assert "```" not in filled.text
    assert find_faults(language, filled.text) == []
