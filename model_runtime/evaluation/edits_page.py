"""The page that tells what edits are worth."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from model_runtime.evaluation.metrics import rate
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.evaluation.edits import Edited

_HEAD = """# Edits in numbers

Whole bodies, repairs and holes on HumanEvalPack (Python and JavaScript), with the default model.
Made by

    remask eval edits HumanEvalPack-python.jsonl.gz HumanEvalPack-js.jsonl.gz --out FOLDER

The prompts, margins and bounds were chosen on every second task; the others are told here. In
brackets: 95 % interval. Rows of fewer than 100 tasks are a hint. Seconds are the processor's, the
median of a task.
"""

_ROWS = """
- *body*: a function's body is written anew, its head begins the answer (`text/forms.py`);
  *the function not told*: by the fill-in-the-middle prompt, as a client asks that knows no syntax;
  *in words*: with the instruction "Implement the function.".
- *repair*: a body is selected, right (*clean*), with the pack's fault (*faulty*), or with the fault
  and a diagnostic that points at its lines and says "incorrect output" or what else the pack says
  of it (*told*). *Left alone*: nothing is changed. A clean body is broken where it does not pass.
- *holes*: two to four of one file, filled together; *each alone*: every hole passes in the file
  that is whole otherwise.
"""


def page(edits: Sequence[Edited], machine: dict[str, str], date: str) -> str:
    """Return the page, in Markdown."""
    return "".join([_HEAD, f"{date}, {described(machine)}.\n", _ROWS, "\n", shares(edits)])


def shares(edits: Sequence[Edited]) -> str:
    """Return a row for each kind of edit in each language, and in both."""
    rows = []
    for kind in dict.fromkeys(one.kind for one in edits):
        of_kind = [one for one in edits if one.kind == kind]
        languages = sorted({one.language for one in of_kind})
        for language in [*languages, "all"] if len(languages) > 1 else languages:
            ones = [one for one in of_kind if language in (one.language, "all")]
            n = len(ones)
            passing = rate(sum(one.verdict == "pass" for one in ones), n).percent()
            same = rate(sum(one.is_same for one in ones), n).percent() if "repair" in kind else ""
            seconds = statistics.median(one.seconds for one in ones)
            rows.append((kind, language, str(n), passing, same, f"{seconds:.1f}"))
    head = ("", "language", "tasks", "passing", "left alone", "s")
    return table(head, rows, "|---|---|---:|---:|---:|---:|")
