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

_MARGINS = """
What another margin of `modes/change.py` would give, from the same run: a change is made from these
log-odds on, and 0 is what stands.

"""
#: Log-odds from which on a change might be made.
BOUNDS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def page(edits: Sequence[Edited], machine: dict[str, str], date: str) -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD, f"{date}, {described(machine)}.\n", _ROWS, "\n", shares(edits)]
    if any(one.changed for one in edits):
        parts += [_MARGINS, margins(edits)]
    return "".join(parts)


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


def margins(edits: Sequence[Edited]) -> str:
    """Return a row for each bound on a change: what would be left alone, broken and mended."""
    kinds = ("repair, clean", "repair, faulty", "repair, told")
    clean, faulty, told = ([one for one in edits if one.kind == kind] for kind in kinds)
    rows = []
    for bound in BOUNDS:
        made = [one.changed for one in clean if one.changed and one.changed.log_odds > bound]
        n_broken = sum(change.verdict != "pass" for change in made)
        rows.append(
            (
                f"{bound:g}",
                rate(len(clean) - len(made), len(clean)).percent(),
                rate(n_broken, len(clean)).percent(),
                *(_mended(ones, bound) for ones in (faulty, told)),
            )
        )
    head = ("from", "clean, left alone", "clean, broken", "faulty, passing", "told, passing")
    return table(head, rows, "|---:|---:|---:|---:|---:|")


def _mended(ones: Sequence[Edited], bound: float) -> str:
    changes = [one.changed for one in ones if one.changed and one.changed.log_odds > bound]
    return rate(sum(change.verdict == "pass" for change in changes), len(ones)).percent()
