"""`remask eval self-correction`: fills, repairs and holes, and the page that tells of them.

Every result is kept as it comes; with `--resume` what is there is not done again. The page is made
of whatever has been measured into its folder, so the parts can be run apart.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.correction import STAGES, Corrected, EditorFiller, corrected
from model_runtime.evaluation.humaneval import read_humaneval
from model_runtime.evaluation.modes import Filled, Repaired, measure_holes, measure_repair
from model_runtime.evaluation.page import Measured, page
from model_runtime.evaluation.run import WARM_UP, Journal, describe_machine, evaluate, spread
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.correction import Stage

R = TypeVar("R", bound=msgspec.Struct)

MEASURED_NAME = "measured.json"
PAGE_NAME = "self-correction.md"


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write and return the page."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / MEASURED_NAME
    measured = Measured()
    if kept.exists():
        measured = msgspec.json.decode(kept.read_bytes(), type=Measured)
    for part in arguments.part or PARTS:
        found = PARTS[part](arguments)
        measured = msgspec.structs.replace(
            measured, **{part: found}, machine=arguments.machine, date=time.strftime("%Y-%m-%d")
        )
        kept.write_bytes(msgspec.json.encode(measured))
    words = page(measured)
    (arguments.out / PAGE_NAME).write_text(words, encoding="utf-8")
    return words


def _fills(arguments: argparse.Namespace) -> tuple[Corrected, ...]:
    found: list[Corrected] = []
    for stage in STAGES:
        with _engine(arguments, stage.settings) as engine:
            for file in arguments.file:
                tasks = spread(read_humaneval(file), arguments.limit)
                if stage.is_for_lines or not all(task.single_line for task in tasks):
                    found.append(_stage(arguments, engine, stage, file.name, tasks))
    return tuple(found)


def _stage(
    arguments: argparse.Namespace,
    engine: LocalEngine,
    stage: Stage,
    file_name: str,
    tasks: list[EvalTask],
) -> Corrected:
    name = file_name.partition(".")[0]
    filler = EditorFiller(engine, stage)
    settings = msgspec.structs.asdict(stage)
    journal = _journal(arguments, f"{name} {stage.name}", settings, Outcome)
    outcomes = evaluate(tasks, filler, seed=arguments.seed, journal=journal)
    return corrected(name, stage, tasks, outcomes)


def _repairs(arguments: argparse.Namespace) -> tuple[Repaired, ...]:
    tasks = spread(read_humaneval(arguments.file[0]), arguments.repairs)
    journal = _journal(arguments, "repairs", {}, Repaired)
    with _engine(arguments, {}) as engine:
        return tuple(measure_repair(engine, tasks, seed=arguments.seed, run=True, journal=journal))


def _holes(arguments: argparse.Namespace) -> tuple[Filled, ...]:
    tasks, seed = read_humaneval(arguments.file[0]), arguments.seed
    journal = _journal(arguments, "holes", {}, Filled)
    with _engine(arguments, {}) as engine:
        found = measure_holes(engine, tasks, arguments.holes, seed=seed, run=True, journal=journal)
    return tuple(found)


#: What can be measured, by the field of `Measured` that it fills.
PARTS: dict[str, Callable[[argparse.Namespace], tuple[msgspec.Struct, ...]]] = {
    "fills": _fills,
    "repairs": _repairs,
    "holes": _holes,
}


@contextlib.contextmanager
def _engine(arguments: argparse.Namespace, settings: dict[str, str]) -> Iterator[LocalEngine]:
    """Lend an engine whose model is loaded."""
    engine = LocalEngine(load_settings(flags_of(arguments) | settings))
    try:
        EditorFiller(engine, STAGES[0])(WARM_UP, arguments.seed)
        arguments.machine = describe_machine(engine)
        yield engine
    finally:
        engine.close()


def _journal(
    arguments: argparse.Namespace, name: str, settings: dict[str, Any], kind: type[R]
) -> Journal[R]:
    """Open the journal of one measurement; one of fewer tasks can be gone on with."""
    file_name = re.sub(r"[^\w.=-]+", "-", name) + ".jsonl"
    depends = {"seed": arguments.seed, "settings": flags_of(arguments), **settings}
    return Journal(arguments.out / file_name, depends, kind, resume=arguments.resume)
