"""Instructions checked by program, with an engine whose answers are known."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from support.knowing import Knowing

from model_runtime.evaluation.pack import read_pack
from model_runtime.evaluation.rewriting import page, rewrite
from model_runtime.evaluation.rewriting_kinds import KINDS, make_tasks

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.evaluation.rewriting_tasks import Task


FUNCTIONS = {
    "def evens(xs):": ("ys = [x for x in xs if x % 2 == 0]\n    return ys", "evens([1, 2]) == [2]"),
    "def odds(xs):": ("return [x for x in xs if x % 2]", "odds([1, 2]) == [1]"),
    "def total(xs):": (
        "n = 0\n    for x in xs:\n        n += x\n    return n",
        "total([1, 2]) == 3",
    ),
    "def sign(x):": ("s = 1 if x > 0 else -1\n    return s", "sign(-3) == -1"),
    "def size(x):": (
        "if x > 9:\n        return 'big'\n    else:\n        return 'small'",
        "size(10) == 'big'",
    ),
    "def twice(x):": ("return max(x, x) * 2", "twice(2) == 4"),
}
GUARD = "if xs is None:\n        raise ValueError('xs is None')"
#: What each kind asks for, done, and done with something else changed, where that can be seen.
DONE = {
    "rename a variable": ("outcome = [x for x in xs if x % 2 == 0]\n    return outcome", None),
    "comprehension to loop": (
        "ys = []\n    for x in xs:\n        if x % 2 < 1:\n            ys.append(x)\n    return ys",
        None,
    ),
    "loop to comprehension": ("return [y for y in xs if y % 2]", None),
    "no augmented assignment": (
        "n = 0\n    for x in xs:\n        n = n + x\n    return n",
        "n = 0.0\n    for x in xs:\n        n = n + x\n    return n",
    ),
    "conditional to if": (
        "s = -1\n    if x > 0:\n        s = 1\n    return s",
        None,
    ),
    "early return": (
        "if x > 9:\n        return 'big'\n    return 'small'",
        "if x >= 10:\n        return 'big'\n    return 'small'",
    ),
    "guard clause": (
        f"{GUARD}\n    ys = [x for x in xs if x % 2 == 0]\n    return ys",
        f"{GUARD}\n    return [x for x in xs if x % 2 == 0]",
    ),
    "extract a variable": (
        "outcome = max(x, x) * 2\n    return outcome",
        "outcome = 2 * max(x, x)\n    return outcome",
    ),
    "docstring": (
        '"""Return the even ones."""\n    ys = [x for x in xs if x % 2 == 0]\n    return ys',
        '"""Return the even ones."""\n    return [x for x in xs if x % 2 == 0]',
    ),
    "type hints": (
        "def evens(xs: list[int]) -> list[int]:",
        "def evens(xs: list[int], n: int = 0) -> list[int]:",
    ),
}


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    """One task of each kind."""
    rows = [
        {
            "task_id": f"Python/{i}",
            "prompt": f'{head}\n    """Say something."""\n',
            "canonical_solution": f"    {body}\n",
            "buggy_solution": "    return 1\n",
            "failure_symptoms": "wrong",
            "test": f"assert {check}\n",
        }
        for i, (head, (body, check)) in enumerate(FUNCTIONS.items())
    ]
    path = tmp_path / "pack.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return make_tasks(read_pack(path), 1)


def saying(*texts: str) -> Knowing:
    """Return an engine that always has the same alternatives."""
    return Knowing(lambda _: [(text,) for text in texts])


def test_there_is_a_task_of_each_kind(tasks: list[Task]) -> None:
    """Its file parses, and what is asked for is not there yet."""
    assert list(dict.fromkeys(task.kind for task in tasks)) == list(KINDS) == list(DONE)
    assert {task.scope for task in tasks} == {"body", "lines", "head"}
    for task in tasks:
        tree = task.tree(task.text)
        assert tree is not None
        assert not task.is_done(tree), task.kind


def test_what_is_done_counts_and_what_is_left_or_broken_does_not(tasks: list[Task]) -> None:
    """By the tree, by the tests, and by the rest of the tree."""
    for task in [task for task in tasks if task.scope != "lines"]:
        done, more = DONE[task.kind]
        (result,) = rewrite(saying(done), task, 1.0, 1, 0).results
        assert (result.is_done, result.is_only) in [(True, True), (True, None)], task.kind
        (same,) = rewrite(saying(task.text), task, 1.0, 1, 0).results
        assert not same.is_done, task.kind
        if more is not None:
            (result,) = rewrite(saying(more), task, 1.0, 1, 0).results
            assert (result.is_done, result.is_only) == (True, False), task.kind
        (broken,) = rewrite(saying("return ("), task, 1.0, 1, 0).results
        assert (broken.is_done, broken.verdict) == (False, "error"), task.kind


def test_of_lines_those_are_selected_that_hold_what_is_to_be_changed(tasks: list[Task]) -> None:
    """And no more."""
    lines = {task.kind: task.text for task in tasks if task.scope == "lines"}
    assert lines == {
        "comprehension to loop": "ys = [x for x in xs if x % 2 == 0]",
        "no augmented assignment": "for x in xs:\n        n += x",
        "conditional to if": "s = 1 if x > 0 else -1",
    }


def test_it_is_asked_as_an_editor_asks(tasks: list[Task]) -> None:
    """A rewrite of what is selected, in words."""
    engine = saying("pass")
    rewrite(engine, tasks[0], 0.3, 4, 7)
    (request,) = engine.asked
    assert (request.mode, request.strength, request.n_alternatives) == ("rewrite", 0.3, 4)
    assert request.instruction == "Rename the variable ys to outcome."
    (span,) = request.spans
    assert request.prefix + span.text + request.suffix == tasks[0].prefix + tasks[0].text + "\n"


def test_of_alternatives_one_that_is_done_is_enough(tasks: list[Task]) -> None:
    """The page counts it; the row of one result counts that one."""
    task = next(task for task in tasks if task.kind == "extract a variable")
    found = [
        rewrite(saying(task.text), task, 1.0, 1, 0),
        rewrite(saying(task.text, DONE[task.kind][0]), task, 1.0, 4, 0),
    ]
    told = page(found, {"device": "none"}, "2026-12-01")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in told.splitlines()]
    cells = {row[0]: [cell.split()[0] for cell in row[1:6]] for row in rows if len(row) > 6}
    assert cells["1.0"] == ["1", "0.0%", "0.0%", "100.0%", "100.0%"]
    assert cells["1.0, one of 4"] == ["1", "100.0%", "100.0%", "100.0%", "100.0%"]
