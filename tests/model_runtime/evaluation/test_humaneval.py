"""The benchmark is read as published, and its own solutions pass."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from model_runtime.errors import BadRequest
from model_runtime.evaluation.humaneval import read_humaneval, try_out
from model_runtime.evaluation.run import spread

DATA = Path(__file__).parents[4] / "shared" / "data"
SINGLE_LINE = DATA / "HumanEval-SingleLineInfilling.jsonl.gz"
RANDOM_SPAN = DATA / "HumanEval-RandomSpanInfillingLight.jsonl.gz"
needs_data = pytest.mark.skipif(not SINGLE_LINE.exists(), reason="the benchmark is not here")


def write_rows(path: Path, *rows: dict[str, str]) -> Path:
    """Write rows in the published format."""
    path.write_bytes(gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows)))
    return path


def a_row(**changed: str) -> dict[str, str]:
    """Make a row: add two numbers, the sum missing."""
    return {
        "task_id": "SingleLineInfilling/HumanEval/53/L0",
        "entry_point": "add",
        "prompt": "def add(x, y):\n",
        "suffix": "\n\nNAME = 'add'\n",
        "canonical_solution": "    return x + y\n",
        "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    } | changed


def test_a_row_becomes_a_task_that_can_be_run(tmp_path: Path) -> None:
    """Prefix, suffix, reference and check come over, and the completed program runs."""
    (task,) = read_humaneval(write_rows(tmp_path / "rows.jsonl.gz", a_row()))
    assert (task.prefix, task.suffix) == ("def add(x, y):\n", "\n\nNAME = 'add'\n")
    assert task.single_line
    assert try_out(task, "    return x + y") == "pass"
    assert try_out(task, "    return x - y\n") == "fail"
    assert try_out(task, "") == "error"


def test_a_single_line_fill_is_cut_after_its_first_line(tmp_path: Path) -> None:
    """What a model says beyond the one line asked for is no part of its answer."""
    row = a_row(suffix="    return total\n", canonical_solution="    total = x + y\n")
    (task,) = read_humaneval(write_rows(tmp_path / "rows.jsonl.gz", row))
    assert task.complete("    total = x + y\n    return 7\n") == (
        "def add(x, y):\n    total = x + y\n    return total\n"
    )
    assert task.complete("") == "def add(x, y):\n\n    return total\n"


def test_a_span_is_filled_as_it_is(tmp_path: Path) -> None:
    """A random span may have several lines, and ends where the fill ends."""
    row = a_row(task_id="RandomSpanInfillingLight/HumanEval/53/1")
    (task,) = read_humaneval(write_rows(tmp_path / "rows.jsonl.gz", row))
    assert not task.single_line
    assert task.complete("a\nb") == task.prefix + "a\nb" + task.suffix


@pytest.mark.parametrize(
    "content", [b"", b"{}", gzip.compress(b'{"task_id": 3}\n')], ids=["empty", "bare", "other"]
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is something else is named in the error."""
    path = tmp_path / "other.jsonl.gz"
    if content:
        path.write_bytes(content)
    with pytest.raises(BadRequest, match=r"other\.jsonl\.gz"):
        read_humaneval(path)


@needs_data
@pytest.mark.parametrize(("path", "n_tasks"), [(SINGLE_LINE, 1033), (RANDOM_SPAN, 164)])
def test_canonical_solutions_pass_and_empty_ones_do_not(path: Path, n_tasks: int) -> None:
    """The published check is really run: the reference passes it, and nothing at all fails it."""
    tasks = read_humaneval(path)
    assert len(tasks) == n_tasks
    for task in spread(tasks, 12):
        assert try_out(task, task.reference) == "pass", task.id
    empty = [try_out(task, "") for task in spread(tasks, 6)]
    assert empty.count("pass") <= 1
