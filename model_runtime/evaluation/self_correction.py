"""`remask eval self-correction`: fills, repairs and holes, and the page that tells of them.

Every result is kept as it comes; with `--resume` what is there is not done again. The page is made
of whatever has been measured into its folder, so the parts can be run apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.correction import STAGES, Corrected, EditorFiller, corrected
from model_runtime.evaluation.humaneval import read_humaneval
from model_runtime.evaluation.metrics import grouped, rate
from model_runtime.evaluation.modes import (
    Filled,
    Repaired,
    measure_holes,
    measure_repair,
    shares,
)
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import (
    describe_machine,
    described,
    engine_of,
    evaluate,
    journal_of,
    spread,
    today,
)
from model_runtime.settings import flags_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

MEASURED_NAME = "measured.json"

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
- Rewriting has [a page of its own](rewriting.md).
- The editor's own judge, tree-sitter: here the compiler says what parses, which is stricter.
"""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds so far."""

    fills: tuple[Corrected, ...] = ()
    repairs: tuple[Repaired, ...] = ()
    holes: tuple[Filled, ...] = ()
    machine: dict[str, str] = {}
    date: str = ""


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write it, and return the page."""
    kept = arguments.out / MEASURED_NAME
    measured = Measured()
    if kept.exists():
        measured = msgspec.json.decode(kept.read_bytes(), type=Measured)
    for part in arguments.part or ("fills", *OF_LINES):
        fills = part == "fills"
        found = _fills(arguments, measured) if fills else _of_lines(arguments, measured, part)
        measured = msgspec.structs.replace(found, date=today())
        kept.write_bytes(msgspec.json.encode(measured))
    return page(measured)


def of_other_benchmarks(
    known: Sequence[Corrected], found: Sequence[Corrected]
) -> Iterator[Corrected]:
    """Yield what was measured before, on other benchmarks than now: these can be run apart, too."""
    benchmarks = {one.benchmark for one in found}
    yield from (one for one in known if one.benchmark not in benchmarks)


def _fills(arguments: argparse.Namespace, measured: Measured) -> Measured:
    seed, machine = arguments.seed, measured.machine
    found: list[Corrected] = []
    first: dict[str, list[Outcome]] = {}
    for stage in STAGES:
        with engine_of(arguments, "local", **stage.settings) as engine:
            machine = describe_machine(engine)
            for file in arguments.file:
                name = file.name.partition(".")[0]
                tasks = spread(read_humaneval(file), arguments.limit)
                if not stage.is_for_lines and all(task.single_line for task in tasks):
                    continue
                depends = _depends(arguments) | msgspec.structs.asdict(stage)
                journal = journal_of(arguments, f"{name} {stage.name}", depends, Outcome)
                filler = EditorFiller(engine, stage)
                outcomes = evaluate(tasks, filler, seed=seed, journal=journal)
                before = first.setdefault(name, outcomes)
                found.append(corrected(name, stage, tasks, outcomes, before))
    kept = of_other_benchmarks(measured.fills, found)
    return msgspec.structs.replace(measured, fills=(*kept, *found), machine=machine)


def _of_lines(arguments: argparse.Namespace, measured: Measured, part: str) -> Measured:
    kind, names, measure = OF_LINES[part]
    tasks, seed, limit = read_humaneval(arguments.file[0]), arguments.seed, getattr(arguments, part)
    journal = journal_of(arguments, part, _depends(arguments), kind, *names)
    with engine_of(arguments, "local") as engine:
        found = measure(engine, tasks, limit, seed=seed, run=True, journal=journal)
        machine = describe_machine(engine)
    return msgspec.structs.replace(measured, machine=machine, **{part: tuple(found)})


#: What is measured on single lines beside fills: outcomes, what tells them apart, and how.
OF_LINES: dict[str, tuple[type[Any], tuple[str, str], Callable[..., Sequence[Any]]]] = {
    "repairs": (Repaired, ("id", "kind"), measure_repair),
    "holes": (Filled, ("id", "mode"), measure_holes),
}


def _depends(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a measurement depends on; one of fewer tasks can be gone on with."""
    return {"seed": arguments.seed, "settings": flags_of(arguments)}


def page(measured: Measured) -> str:
    """Return the page, in Markdown."""
    parts = [_HEAD, f"{measured.date}, {described(measured.machine)}.\n"]
    if measured.fills:
        parts.append(_FILLS)
        for benchmark, chosen in grouped(measured.fills, lambda one: one.benchmark).items():
            parts.append(f"\n### {benchmark}\n\n{_fills_table(chosen)}")
    if measured.repairs:
        faults = [one for one in measured.repairs if one.kind != "clean"]
        together = [msgspec.structs.replace(one, kind="all faults") for one in faults]
        parts += [_REPAIRS, "\n", shares([*measured.repairs, *together])]
    if measured.holes:
        parts += [_HOLES, "\n", shares(measured.holes)]
    return "".join([*parts, _REST])


def _fills_table(chosen: Sequence[Corrected]) -> str:
    head = (
        "stage", "tasks", "pass@1", "won, lost", "exact", "broken", "forwards a task", "s a task",
    )  # fmt: skip
    rows = [
        (
            one.stage,
            one.summary.n_tasks,
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
