"""Repair and holes, measured with engines whose answers are known."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from support.knowing import Knowing

from model_runtime.evaluation.base import Check, EvalTask
from model_runtime.evaluation.faults import PLANTERS, plant
from model_runtime.evaluation.modes import measure_holes, measure_repair, shares

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

LINES = ["    low = min(a, 3)\n", "    high = max(a, b)\n", "    return high - low\n"]
HEAD = "def spread(a, b):\n"


def tasks() -> list[EvalTask]:
    """Return the lines of one function as tasks."""
    return [
        EvalTask(
            id=f"SingleLineInfilling/HumanEval/0/L{i}",
            language="python",
            prefix=HEAD + "".join(LINES[:i]),
            suffix="".join(LINES[i + 1 :]),
            reference=line,
            single_line=True,
            check=Check(test="def check(f):\n    assert f(1, 5) == 4\n", entry_point="spread"),
        )
        for i, line in enumerate(LINES)
    ]


def rng(seed: int) -> random.Random:
    """Return a generator of the test's own."""
    return random.Random(seed)


PLANTED = {
    "operator": ("return high - low", "return high + low"),
    "off by one": ("low = min(a, 3)", "low = min(a, 4)"),
    "swapped": ("high = max(a, b)", "high = max(b, a)"),
    "not": ("if not found", "if found"),
    "colon": ("if found:", "if found"),
    "bracket": ("f(a)", "f(a"),
    "name": ("return low", "return high"),
}


@pytest.mark.parametrize("kind", PLANTERS)
def test_each_kind_of_fault_can_be_planted(kind: str) -> None:
    """As people make it, in one place."""
    line, faulty = PLANTED[kind]
    assert faulty in [*PLANTERS[kind](line, "high")]


def test_a_planted_fault_is_the_seeds_choice() -> None:
    """The same seed plants the same, and a line without a place for one gets none."""
    planted = [plant("x = a + 1", "b", rng(5)) for _ in range(2)]
    assert planted[0] == planted[1] is not None
    assert plant("pass", "", rng(0)) is None


def test_an_engine_that_changes_nothing_restores_nothing() -> None:
    """Clean lines are left untouched, faulty ones stay as they are."""
    engine = Knowing(lambda request: [(request.spans[0].text,)])
    measured = measure_repair(engine, tasks(), None, seed=0, run=True)
    assert [one.exact for one in measured if one.kind == "clean"] == [True] * 3
    assert [one.passes for one in measured if one.kind == "clean"] == [True] * 3
    assert not any(one.exact for one in measured if one.kind != "clean")
    assert "| clean | 3 | 100.0%" in shares(measured)


def test_the_first_repair_that_compiles_is_taken() -> None:
    """As an editor would, whatever comes before it."""
    engine = Knowing(lambda _: [("return (",), ("return high - low",), ("pass",)])
    measured = measure_repair(engine, tasks()[2:], None, seed=0, run=False)
    assert {one.got for one in measured} == {"return high - low"}
    assert all(one.exact for one in measured)


def test_holes_are_whole_lines_of_one_function() -> None:
    """Both ways get the same holes; the right lines are exact and pass."""
    asked: list[InfillRequest] = []

    def answer(request: InfillRequest) -> list[tuple[str, ...]]:
        asked.append(request)
        shown = request.prefix + "".join(span.following for span in request.spans)
        shown += request.suffix
        holes = [line.strip() for line in LINES if line.strip() not in shown]
        return [tuple(holes)]

    measured = measure_holes(Knowing(answer), tasks(), None, seed=0, run=True)
    assert [one.mode for one in measured] == ["jointly", "one after another"]
    assert [request.mode for request in asked] == ["holes", "infill"]
    assert asked[0].spans == asked[1].spans
    assert all(one.exact and one.passes for one in measured)
