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
from model_runtime.evaluation.modes import Filled, Repaired, measure_holes, measure_repair
from model_runtime.evaluation.page import Measured, page
from model_runtime.evaluation.run import (
    describe_machine,
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

    from model_runtime.evaluation.journal import Journal
MEASURED_NAME = "measured.json"


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
                settings = msgspec.structs.asdict(stage)
                journal = _journal(arguments, f"{name} {stage.name}", Outcome, **settings)
                filler = EditorFiller(engine, stage)
                outcomes = evaluate(tasks, filler, seed=seed, journal=journal)
                before = first.setdefault(name, outcomes)
                found.append(corrected(name, stage, tasks, outcomes, before))
    kept = of_other_benchmarks(measured.fills, found)
    return msgspec.structs.replace(measured, fills=(*kept, *found), machine=machine)


def _of_lines(arguments: argparse.Namespace, measured: Measured, part: str) -> Measured:
    kind, names, measure = OF_LINES[part]
    tasks, seed, limit = read_humaneval(arguments.file[0]), arguments.seed, getattr(arguments, part)
    journal = _journal(arguments, part, kind, *names)
    with engine_of(arguments, "local") as engine:
        found = measure(engine, tasks, limit, seed=seed, run=True, journal=journal)
        machine = describe_machine(engine)
    return msgspec.structs.replace(measured, machine=machine, **{part: tuple(found)})


#: What is measured on single lines beside fills: outcomes, what tells them apart, and how.
OF_LINES: dict[str, tuple[type[Any], tuple[str, str], Callable[..., Sequence[Any]]]] = {
    "repairs": (Repaired, ("id", "kind"), measure_repair),
    "holes": (Filled, ("id", "mode"), measure_holes),
}


def _journal(
    arguments: argparse.Namespace, name: str, kind: type[Any], *names: str, **settings: Any
) -> Journal[Any]:
    """Open a part's journal; a measurement of fewer tasks can be gone on with."""
    depends = {"seed": arguments.seed, "settings": flags_of(arguments)} | settings
    return journal_of(arguments, name, depends, kind, *names)
