"""HumanEvalPack: functions in several languages, with tests and one planted fault each.

Muennighoff et al. 2023, arXiv 2308.07124 (OctoPack; the data are MIT). Python and JavaScript are
read here, which `execution` can run. A function's body is what its braces or its indentation hold.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.evaluation.execution import verdict_of
from model_runtime.evaluation.rows import read_rows
from model_runtime.protocol import Enclosing
from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.evaluation.base import Verdict

#: What begins the declaration of a function; a prompt ends with the one to be written.
_HEADS = {
    "python": re.compile(r"^def ", re.MULTILINE),
    "javascript": re.compile(r"^(?:const|let|var|function) ", re.MULTILINE),
}


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One function, taken apart: prefix + body + suffix is the file."""

    id: str
    language: str
    #: Up to the first character of the body.
    prefix: str
    #: Without the blanks around it.
    body: str
    suffix: str
    #: The body with one fault in it.
    faulty: str
    #: What the faulty one does wrong, in a few words.
    symptoms: str
    #: A program's end that fails where the function does.
    test: str
    #: Where in the prefix the declaration begins.
    head_at: int

    @property
    def enclosing(self) -> Enclosing:
        """What an editor would tell the model of the body's place."""
        n_behind = len(self.suffix.rstrip())
        return Enclosing(n_before=len(self.prefix) - self.head_at, n_behind=n_behind, is_body=True)

    @property
    def fault_lines(self) -> tuple[int, int]:
        """Where the lines of the faulty body stand that have the fault: what a diagnostic tells."""
        old, new = self.faulty.splitlines(keepends=True), self.body.splitlines(keepends=True)
        head = n_shared(old, new)
        tail = min(n_shared(old[::-1], new[::-1]), len(old) - head - 1)
        starts = list(accumulate(map(len, old), initial=0))
        return starts[head], starts[max(head + 1, len(old) - tail)]

    def run(self, body: str) -> Verdict:
        """Say what the tests make of the function with another body."""
        return verdict_of(self.prefix + body + self.suffix, self.test, self.language)


class _Row(msgspec.Struct):
    task_id: str
    prompt: str
    canonical_solution: str
    buggy_solution: str
    failure_symptoms: str
    test: str


def read_pack(path: Path) -> list[Function]:
    """Read one of the pack's files, `HumanEvalPack-LANGUAGE.jsonl.gz`.

    Raises:
        BadRequest: the file is missing, is not in the pack's format or in another language.
    """
    rows = read_rows(path, _Row, f"{path} is no HumanEvalPack file")
    return [_function(row) for row in rows]


def _function(row: _Row) -> Function:
    language = row.task_id.partition("/")[0].lower()
    if language not in _HEADS:
        raise BadRequest(f"{row.task_id}: only {' and '.join(_HEADS)} can be run here")
    found = [match.start() for match in _HEADS[language].finditer(row.prompt)]
    if not found:
        raise BadRequest(f"{row.task_id} declares no function")
    # The solution goes on in the line that the prompt ends with.
    gap, body, suffix = _taken_apart(row.canonical_solution, language)
    _, faulty, _ = _taken_apart(row.buggy_solution, language)
    prefix = row.prompt.rstrip(" \t") + gap if row.prompt.endswith("\n") else row.prompt + gap
    return Function(
        id=row.task_id,
        language=language,
        prefix=prefix,
        body=body,
        suffix=suffix,
        faulty=faulty,
        symptoms=row.failure_symptoms,
        test=row.test,
        head_at=found[-1],
    )


def _taken_apart(solution: str, language: str) -> tuple[str, str, str]:
    """Return the blanks before a body, the body, and what closes it."""
    whole = solution.rstrip()
    if language == "javascript":
        whole = whole.removesuffix(";").rstrip().removesuffix("}").rstrip()
    body = whole.lstrip()
    return whole[: len(whole) - len(body)], body, solution[len(whole) :]
