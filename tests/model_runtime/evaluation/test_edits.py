"""Bodies, repairs and holes of HumanEvalPack, measured with an engine whose answers are known."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from support.knowing import Knowing

from model_runtime.errors import BadRequest
from model_runtime.evaluation.edits import _OF_FUNCTIONS, Changed, Edited, _holes, parses
from model_runtime.evaluation.edits_page import BOUNDS, margins, shares
from model_runtime.evaluation.execution import run_program
from model_runtime.evaluation.pack import Function, read_pack
from model_runtime.evaluation.pack_holes import make_holes

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.protocol import InfillRequest

ROWS = {
    "python": {
        "prompt": 'import math\n\n\ndef area(w, h):\n    """Return the area."""\n',
        "canonical_solution": "    a = max(w, 0) * max(h, 0)\n    return a\n",
        "buggy_solution": "    a = max(w, 0) + max(h, 0)\n    return a\n",
        "test": "assert area(2, 3) == 6\nassert area(-2, 3) == 0\n",
    },
    "javascript": {
        "prompt": "/* Return the area. */\nvar area = (w, h) => {\n",
        "canonical_solution": "  const a = Math.max(w, 0) * Math.max(h, 0);\n  return a;\n}\n",
        "buggy_solution": "  const a = Math.max(w, 0) + Math.max(h, 0);\n  return a;\n}\n",
        "test": "console.assert(area(2, 3) === 6);\n",
    },
}
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH")
LANGUAGES = ["python", pytest.param("javascript", marks=needs_node)]


def functions(language: str, folder: Path, n: int = 1) -> list[Function]:
    """Return a pack's functions, read from a file in its format."""
    rows = [
        ROWS[language] | {"task_id": f"{language.title()}/{i}", "failure_symptoms": "wrong"}
        for i in range(n)
    ]
    path = folder / "pack.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return read_pack(path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_is_taken_apart_and_tried_out(language: str, tmp_path: Path) -> None:
    """The file is put together again from its parts, and its tests tell right from wrong."""
    (one,) = functions(language, tmp_path)
    row = ROWS[language]
    whole = row["prompt"] + row["canonical_solution"]
    assert (one.prefix + one.body + one.suffix).rstrip() == whole.rstrip()
    assert one.body == one.body.strip()
    head = one.prefix[len(one.prefix) - one.enclosing.n_before :]
    assert head.startswith("def area" if language == "python" else "var area")
    assert [one.run(body) for body in (one.body, one.faulty, "return (")] == [
        "pass", "fail", "error",
    ]  # fmt: skip
    assert [parses(one, body) for body in (one.body, "return (")] == [True, False]
    start, end = one.fault_lines
    assert " + " in one.faulty[start:end]
    assert "return" not in one.faulty[start:end]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_asked_for_is_what_is_counted(language: str, tmp_path: Path) -> None:
    """Bodies with the function told, without, in words; repairs with a diagnostic and without."""
    (one,) = functions(language, tmp_path)

    def answer(request: InfillRequest) -> list[tuple[str, ...]]:
        if request.mode == "repair":
            return [(one.body if request.spans[0].told else request.spans[0].text,)]
        return [(one.body if request.spans[0].enclosing else "return 1",)]

    engine = Knowing(answer)
    edits = [ask() for part in _OF_FUNCTIONS.values() for _, ask in part(engine, one, 0)]
    assert {edit.kind: (edit.verdict, edit.is_same) for edit in edits} == {
        "body": ("pass", False),
        "body, the function not told": ("fail", False),
        "body, in words": ("pass", False),
        "repair, clean": ("pass", True),
        "repair, faulty": ("fail", True),
        "repair, told": ("pass", False),
    }
    assert [request.instruction for request in engine.asked] == [
        "", "", "Implement the function.", "", "", "wrong",
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_holes_are_filled_together_and_alone(language: str, tmp_path: Path) -> None:
    """Every file is whole again with what was taken out of it, and of every kind there are some."""
    tasks = make_holes(functions(language, tmp_path, 6), 4)
    assert {task.kind for task in tasks} == {"bodies", "expressions and arguments"}
    for task in tasks:
        references = tuple(task.text[hole.start : hole.end] for hole in task.holes)
        assert 2 <= len(references) <= 4

        def answer(
            request: InfillRequest,
            references: tuple[str, ...] = references,
            text: str = task.text,
        ) -> list[tuple[str, ...]]:
            if len(request.spans) > 1:
                return [references]
            start = len(request.prefix)
            end = len(text) - len(request.suffix)
            return [(text[start:end],)]

        found = [ask() for _, ask in _holes(Knowing(answer), task, 0)]
        assert [one.verdict for one in found] == ["pass", "pass"]
        assert [one.got for one in found] == [references, references]


def test_the_same_seed_makes_the_same_holes(tmp_path: Path) -> None:
    """Another one makes others."""
    pack = functions("python", tmp_path, 8)
    assert make_holes(pack, 6, 1) == make_holes(pack, 6, 1)
    assert make_holes(pack, 6, 1) != make_holes(pack, 6, 2)


def test_the_table_counts_by_kind_and_language() -> None:
    """A row for each language, and one for all."""
    edits = [
        Edited(id=str(i), language=language, kind="repair, clean", got=("x",), verdict=verdict,
               is_same=verdict == "pass", seconds=float(i))
        for i, (language, verdict) in enumerate(
            [("python", "pass"), ("python", "fail"), ("javascript", "pass"), ("javascript", "pass")]
        )
    ]  # fmt: skip
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in shares(edits).splitlines()]
    assert [row[:3] for row in rows[2:]] == [
        ["repair, clean", "javascript", "2"],
        ["repair, clean", "python", "2"],
        ["repair, clean", "all", "4"],
    ]
    assert [row[3].split()[0] for row in rows[2:]] == ["100.0%", "50.0%", "75.0%"]


def test_the_table_of_margins_makes_each_change_from_its_own_odds_on() -> None:
    """Above them nothing is changed: a right body stays right, and a faulty one faulty."""

    def edited(kind: str, changed: Changed | None) -> Edited:
        return Edited(
            id="a", language="python", kind=f"repair, {kind}", got=("x",), verdict="pass",
            seconds=1.0, changed=changed,
        )  # fmt: skip

    edits = [
        edited("clean", None),
        edited("clean", Changed(log_odds=-2.5, verdict="pass")),
        edited("clean", Changed(log_odds=1.5, verdict="fail")),
        edited("faulty", Changed(log_odds=0.5, verdict="pass")),
        edited("told", Changed(log_odds=4.5, verdict="pass")),
        edited("told", Changed(log_odds=4.5, verdict="fail")),
    ]
    rows = [
        [cell.split("%")[0] for cell in row.split("|")[1:-1]] for row in margins(edits).split("\n")
    ]
    found = {float(row[0]): [float(cell) for cell in row[1:]] for row in rows[2 : 2 + len(BOUNDS)]}
    assert found[-3] == [33.3, 33.3, 100.0, 50.0]
    assert found[0] == [66.7, 33.3, 100.0, 50.0]
    assert found[1] == [66.7, 33.3, 0.0, 50.0]
    assert found[2] == [100.0, 0.0, 0.0, 50.0]
    assert found[5] == [100.0, 0.0, 0.0, 0.0]


def test_another_file_is_refused(tmp_path: Path) -> None:
    """With a sentence that names it."""
    path = tmp_path / "other.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}'))
    with pytest.raises(BadRequest, match=r"other\.jsonl\.gz is no HumanEvalPack file"):
        read_pack(path)


@needs_node
@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("console.assert(1 + 1 === 2)", "pass"),
        ("console.assert(1 + 1 === 3, 'three')", "fail"),
        ("missing", "error"),
        ("if (", "error"),
        ("require('fs')", "error"),
        ("process.exit(0)", "error"),
        ("console.log('pass'); throw new Error('x')", "error"),
        ("require('assert').deepStrictEqual([1], [1])", "pass"),
    ],
)
def test_a_javascript_program_gets_the_verdict_it_earned(program: str, verdict: str) -> None:
    """Only a program that comes to its last line passes."""
    assert run_program(program, language="javascript").verdict == verdict
