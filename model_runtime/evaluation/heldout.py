"""The held-out tasks: infill in nine languages, from packages that no training run has seen.

`heldout.jsonl.gz` beside this file holds them, each with the package, version and licence it comes
from; `remask eval make-tasks` cut them out of the held-out side of the training corpus.
"""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.metrics import grouped
from model_runtime.evaluation.rows import read_rows
from model_runtime.training.data import read_documents
from model_runtime.training.tasks import Kind, Limits, sample_task

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from model_runtime.training.data import Document
    from model_runtime.training.tasks import InfillTask

TASKS_NAME = "heldout.jsonl.gz"
#: Tasks of each language.
N_TASKS: Mapping[str, int] = {
    "python": 120, "javascript": 55, "typescript": 45, "go": 50, "rust": 50, "java": 30, "c": 20,
    "cpp": 15, "lua": 15,
}  # fmt: skip
#: What an editor asks for; cuts at random characters would measure luck.
KINDS: Mapping[Kind, float] = {
    "line": 0.3, "statement": 0.25, "rest": 0.25, "lines": 0.1, "block_end": 0.1,
}  # fmt: skip
LIMITS = Limits(prefix=1600, middle=240, suffix=800)
#: The most tasks of one package, and of one file.
MAX_OF_PACKAGE, MAX_OF_FILE = 30, 2
MIN_WORD_CHARS = 4
_MAX_TRIES = 20_000
#: A line that is a comment in one of the languages: prose, which nobody could guess.
_COMMENT = re.compile(r"^\s*(#(?!include|if|define|endif)|//|/?\*|--|\"\"\")", re.MULTILINE)
_SINGLE_LINE_KINDS = frozenset({"line", "statement", "rest"})


def main(arguments: argparse.Namespace) -> str:
    """Cut tasks out of a corpus and write them."""
    documents = read_documents(arguments.data, arguments.split)
    write_tasks(make_tasks(documents, arguments.seed), arguments.out)
    return ""


def read_tasks(path: Path | None = None) -> list[EvalTask]:
    """Read the shipped tasks, or a file made by `write_tasks`.

    Raises:
        BadRequest: the file is missing or holds something else.
    """
    shipped = resources.files(__package__).joinpath(TASKS_NAME)
    return read_rows(path or shipped, EvalTask, f"no held-out tasks in {path or TASKS_NAME}")


def read_lines(path: Path | None = None) -> list[EvalTask]:
    """Read those tasks whose gap is in one line; see `read_tasks`."""
    return [task for task in read_tasks(path) if task.single_line]


def write_tasks(tasks: Iterable[EvalTask], path: Path) -> None:
    """Write tasks, the same bytes for the same tasks."""
    lines = b"".join(msgspec.json.encode(task) + b"\n" for task in tasks)
    path.write_bytes(gzip.compress(lines, mtime=0))


def make_tasks(
    documents: Iterable[Document], seed: int = 0, n_tasks: Mapping[str, int] = N_TASKS
) -> list[EvalTask]:
    """Cut tasks out of held-out documents: spread over packages and files, code rather than prose.

    A language whose documents don't suffice gets as many as there are.
    """
    by_language = grouped(documents, lambda document: document.language)
    return [
        task
        for language, n in n_tasks.items()
        for task in _make_language(language, by_language.get(language, []), n, seed)
    ]


def _make_language(
    language: str, documents: list[Document], n_tasks: int, seed: int
) -> list[EvalTask]:
    rng = random.Random(f"{seed}/{language}")  # noqa: S311  not for secrets
    tasks: list[EvalTask] = []
    of_package: Counter[str] = Counter()
    of_file: Counter[tuple[str, str]] = Counter()
    for _ in range(_MAX_TRIES if documents else 0):
        if len(tasks) == n_tasks:
            break
        document = rng.choice(documents)
        file = document.package, document.path
        if of_package[document.package] >= MAX_OF_PACKAGE or of_file[file] >= MAX_OF_FILE:
            continue
        cut = sample_task(document, rng, LIMITS, KINDS)
        if cut is None or not _is_code(cut):
            continue
        of_package[document.package] += 1
        of_file[file] += 1
        tasks.append(
            EvalTask(
                id=f"heldout/{language}/{len(tasks)}/{cut.kind}",
                language=language,
                path=document.path,
                prefix=cut.prefix,
                suffix=cut.suffix,
                reference=cut.middle,
                single_line=cut.kind in _SINGLE_LINE_KINDS,
                source=f"{document.package} {document.version} ({document.licence})",
            )
        )
    return tasks


def _is_code(cut: InfillTask) -> bool:
    """Say whether a gap holds some code: a few letters, no comment, no docstring's text."""
    line = cut.prefix.rpartition("\n")[2] + cut.middle
    n_quotes = cut.prefix.count('"""')
    return (
        sum(map(str.isalnum, cut.middle)) >= MIN_WORD_CHARS
        and not _COMMENT.search(line)
        and (cut.language != "python" or n_quotes % 2 == 0)
    )
