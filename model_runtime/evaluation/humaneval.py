"""HumanEval-Infilling: gaps in the canonical solutions of HumanEval, checked by its tests.

Bavarian et al. 2022, arXiv 2207.14255; the files are those of openai/human-eval-infilling (MIT).
The data are read, never run here; `execution` runs what a fill makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.base import Check, EvalTask
from model_runtime.evaluation.execution import verdict_of
from model_runtime.evaluation.rows import read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.evaluation.base import Verdict

#: Task ids of the benchmark whose gap is one whole line begin so.
SINGLE_LINE = "SingleLineInfilling/"


class _Row(msgspec.Struct):
    """One line of the published files."""

    task_id: str
    entry_point: str
    prompt: str
    suffix: str
    canonical_solution: str
    test: str


def read_humaneval(path: Path) -> list[EvalTask]:
    """Read one of the benchmark's files, `*.jsonl.gz`.

    Raises:
        BadRequest: the file is missing or is not in the published format.
    """
    rows = read_rows(path, _Row, f"{path} is no HumanEval-Infilling file")
    return [
        EvalTask(
            id=row.task_id,
            language="python",
            prefix=row.prompt,
            suffix=row.suffix,
            reference=row.canonical_solution,
            single_line=row.task_id.startswith(SINGLE_LINE),
            check=Check(test=row.test, entry_point=row.entry_point),
        )
        for row in rows
    ]


def try_out(task: EvalTask, text: str) -> Verdict:
    """Run the program that a fill makes, with the benchmark's check at its end.

    Raises:
        ValueError: the task has no check.
    """
    if task.check is None:
        raise ValueError(f"task {task.id} has no check")
    test = f"{task.check.test}\ncheck({task.check.entry_point})"
    return verdict_of(task.complete(text), test)
