"""`remask eval self-correction`: fills, repairs and holes, and the page that tells of them.

Every result is kept as it comes; with `--resume` what is there is not done again. The page is made
of whatever has been measured into its folder, so the parts can be run apart.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.correction import STAGES, Corrected, EditorFiller, corrected
from model_runtime.evaluation.humaneval import read_humaneval
from model_runtime.evaluation.modes import Filled, Repaired, measure_holes, measure_repair
from model_runtime.evaluation.page import Measured, page
from model_runtime.evaluation.run import (
    WARM_UP,
    describe_machine,
    engine_of,
    evaluate,
    journal_of,
    spread,
)
from model_runtime.settings import flags_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.correction import Stage

MEASURED_NAME = "measured.json"
PAGE_NAME = "self-correction.md"


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write and return the page."""
    kept = arguments.out / MEASURED_NAME
    measured = Measured()
    if kept.exists():
        measured = msgspec.json.decode(kept.read_bytes(), type=Measured)
    for part in arguments.part or PARTS:
        measured = msgspec.structs.replace(
            PARTS[part](arguments, measured),
            machine=arguments.machine,
            date=time.strftime("%Y-%m-%d"),
        )
        kept.write_bytes(msgspec.json.encode(measured))
    return page(measured)


def of_other_benchmarks(
    known: Sequence[Corrected], found: Sequence[Corrected]
) -> Iterator[Corrected]:
    """Yield what was measured before, on other benchmarks than now: these can be run apart, too."""
    benchmarks = {one.benchmark for one in found}
    yield from (one for one in known if one.benchmark not in benchmarks)


def _fills(arguments: argparse.Namespace, measured: Measured) -> Measured:
    found: list[Corrected] = []
    first: dict[str, list[Outcome]] = {}
    for stage in STAGES:
        with _engine(arguments, stage.settings) as engine:
            for file in arguments.file:
                tasks = spread(read_humaneval(file), arguments.limit)
                if stage.is_for_lines or not all(task.single_line for task in tasks):
                    outcomes = _outcomes(arguments, engine, stage, file, tasks)
                    before = first.setdefault(file.name, outcomes)
                    found.append(corrected(_name(file), stage, tasks, outcomes, before))
    kept = of_other_benchmarks(measured.fills, found)
    return msgspec.structs.replace(measured, fills=(*kept, *found))


def _outcomes(
    arguments: argparse.Namespace,
    engine: LocalEngine,
    stage: Stage,
    file: Path,
    tasks: list[EvalTask],
) -> list[Outcome]:
    settings = msgspec.structs.asdict(stage)
    name = f"{_name(file)} {stage.name}"
    journal = journal_of(arguments, name, _depends(arguments) | settings, Outcome)
    return evaluate(tasks, EditorFiller(engine, stage), seed=arguments.seed, journal=journal)


def _name(file: Path) -> str:
    """Return what a benchmark's file is called, without what it ends in."""
    return file.name.partition(".")[0]


def _repairs(arguments: argparse.Namespace, measured: Measured) -> Measured:
    tasks = spread(read_humaneval(arguments.file[0]), arguments.repairs)
    journal = journal_of(arguments, "repairs", _depends(arguments), Repaired, "id", "kind")
    with _engine(arguments, {}) as engine:
        found = measure_repair(engine, tasks, seed=arguments.seed, run=True, journal=journal)
    return msgspec.structs.replace(measured, repairs=tuple(found))


def _holes(arguments: argparse.Namespace, measured: Measured) -> Measured:
    tasks, seed = read_humaneval(arguments.file[0]), arguments.seed
    journal = journal_of(arguments, "holes", _depends(arguments), Filled, "id", "mode")
    with _engine(arguments, {}) as engine:
        found = measure_holes(engine, tasks, arguments.holes, seed=seed, run=True, journal=journal)
    return msgspec.structs.replace(measured, holes=tuple(found))


#: What can be measured; each puts what it found in the place of what is known of it.
PARTS: dict[str, Callable[[argparse.Namespace, Measured], Measured]] = {
    "fills": _fills,
    "repairs": _repairs,
    "holes": _holes,
}


@contextlib.contextmanager
def _engine(arguments: argparse.Namespace, settings: dict[str, str]) -> Iterator[LocalEngine]:
    """Lend an engine whose model is loaded."""
    with engine_of(arguments, "local", **settings) as engine:
        EditorFiller(engine, STAGES[0])(WARM_UP, arguments.seed)
        arguments.machine = describe_machine(engine)
        yield engine


def _depends(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a measurement depends on; one of fewer tasks can be gone on with."""
    return {"seed": arguments.seed, "settings": flags_of(arguments)}
