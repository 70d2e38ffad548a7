"""The page that tells what self-correction is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.correction import Corrected
from model_runtime.evaluation.metrics import rate
from model_runtime.evaluation.modes import Filled, Repaired, shares
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import described

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = """# Self-correction in numbers

What the stages after the plain fill are worth, with the default model. Made by

    remask eval self-correction HumanEval-SingleLineInfilling.jsonl.gz \\
        HumanEval-RandomSpanInfillingLight.jsonl.gz --limit N --out FOLDER

The tasks are HumanEval-Infilling's, evenly spread; none was trained on. In brackets: 95 % interval.
"""

_FILLS = """
## Fills

- *base, greedy, bare*: the base model token by token, the prompt as the benchmark puts it, the fill
  as long as the model likes.
- *ended early*: the fill ends where it says what the file goes on with, leaves its block or opens a
  code fence (`text/ending.py`); *healed*: a half token before the cursor is spelled anew
  (`text/healing.py`), and a block's first line begun at its indentation (`text/indentation.py`).
  All stages below have both, and a line that is filled keeps its line end. In all stages a fill
  does not say again what follows it, nor closes the file's own brackets (`text/brackets.py`).
- *one pass over the canvas*: each 16 tokens in one forward, unchecked.
- *canvas and causal check*: `hybrid`. Its text is the base's own, in fewer forwards.
- *syntax loop*: where the file parses no more, other fills are asked for, at most twice.
- *4 alternatives, ranked*: by how likely the base finds the fill and what follows it, read from
  left to right; of those the first that parses (`modes/ranking.py`, `modes/branching.py`). None is
  made where the first is sure.
- *as an editor has it*: of one line, those four; of several, one beside the first.

*Won, lost*: tasks that pass and did not in the first row, and the other way round. Both run the
same tasks, so these say more than the two intervals do.

*Broken*: the file parsed before, and does not with the fill. Forwards are of the model, all
counted; seconds are the processor's.
"""

_REPAIRS = """
## Repair

One fault is planted in a line, and the line's repair asked for; *clean* lines have none, and are
restored where they are left as they are. The bounds `MARGIN` and `DOUBT` of `modes/repair.py` were
chosen on lines that are not among these.
"""

_HOLES = """
## Holes

Two to four lines of one function, filled jointly or one after another; *exact* is all of them.
"""

_REST = """
## Not measured

- Other languages than Python, and other models than the default one.
- Rewriting: there is no benchmark of it that needs no judge.
- The editor's own judge, tree-sitter: here the compiler says what parses, which is stricter.
"""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds so far."""

    fills: tuple[Corrected, ...] = ()
    repairs: tuple[Repaired, ...] = ()
    holes: tuple[Filled, ...] = ()
    machine: dict[str, str] = {}
    date: str = ""


def page(measured: Measured) -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD, f"{measured.date}, {described(measured.machine)}.\n"]
    if measured.fills:
        parts.append(_FILLS)
        for benchmark in dict.fromkeys(one.benchmark for one in measured.fills):
            chosen = [one for one in measured.fills if one.benchmark == benchmark]
            parts.append(f"\n### {benchmark}\n\n{_fills_table(chosen)}")
    if measured.repairs:
        parts += [_REPAIRS, "\n", shares([*measured.repairs, *_all_faults(measured.repairs)])]
    if measured.holes:
        parts += [_HOLES, "\n", shares(measured.holes)]
    return "".join([*parts, _REST])


def _all_faults(repairs: Sequence[Repaired]) -> list[Repaired]:
    """Return the repairs of faults once more, as one kind."""
    faulty = (one for one in repairs if one.kind != "clean")
    return [msgspec.structs.replace(one, kind="all faults") for one in faulty]


def _fills_table(chosen: Sequence[Corrected]) -> str:
    head = (
        "stage", "tasks", "pass@1", "won, lost", "exact", "broken", "forwards a task", "s a task",
    )  # fmt: skip
    rows = [
        (
            one.stage,
            str(one.summary.n_tasks),
            (one.summary.pass_at_1 or rate(0, 0)).percent(),
            f"+{one.n_won} -{one.n_lost}",
            one.summary.exact.percent(),
            one.broken.percent(),
            f"{one.summary.n_forwards / one.summary.n_tasks:.1f}",
            f"{one.summary.seconds_mean:.2f}",
        )
        for one in chosen
    ]
    return table(head, rows, "|---|---:|---:|---:|---:|---:|---:|---:|")
