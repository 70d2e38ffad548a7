"""`remask eval humaneval`, `heldout` and `join`: fills of any engine, at one setting or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.humaneval import read_humaneval
from model_runtime.evaluation.metrics import summarize
from model_runtime.evaluation.report import Run, markdown, read_report, write_report
from model_runtime.evaluation.run import (
    WARM_UP,
    EngineFiller,
    describe_machine,
    engine_of,
    evaluate,
    journal_of,
    spread,
)
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.metrics import Summary


def main(arguments: argparse.Namespace) -> str:
    """Measure or join; write the report, and return it."""
    if arguments.benchmark == "join":
        runs = [run for path in arguments.report for run in read_report(path)]
    else:
        runs = _measure(arguments)
    write_report(runs, arguments.out)
    return markdown(runs)


def _measure(arguments: argparse.Namespace) -> list[Run]:
    sampler = load_settings(flags_of(arguments)).sampler
    with engine_of(arguments) as engine:
        return [
            _measure_one(arguments, engine, sampler, name, tasks, params, point)
            for name, tasks in _read_benchmarks(arguments)
            for params, point in _points(arguments)
        ]


def _measure_one(
    arguments: argparse.Namespace,
    engine: Engine,
    sampler: str,
    name: str,
    tasks: Sequence[EvalTask],
    params: dict[str, Any],
    point: str,
) -> Run:
    filler = EngineFiller(engine, sampler=sampler, params=params)
    filler(WARM_UP, arguments.seed)
    machine = describe_machine(engine)
    settings = {
        "sampler": sampler,
        "params": params,
        "seed": arguments.seed,
        "n_tasks": len(tasks),
        "settings": flags_of(arguments),
    }
    series = arguments.series or sampler or "default"
    outcomes = evaluate(
        tasks,
        filler,
        seed=arguments.seed,
        run_checks=not getattr(arguments, "no_run", False),
        journal=journal_of(
            arguments, f"{name} {series} {point}".strip(), settings | machine, Outcome
        ),
    )
    return Run(
        benchmark=name,
        series=series,
        point=point,
        settings=settings,
        machine=machine,
        summary=summarize(outcomes),
        by_language=_by_language(outcomes),
    )


def _by_language(outcomes: Sequence[Outcome]) -> dict[str, Summary]:
    languages = dict.fromkeys(outcome.language for outcome in outcomes)
    return {
        language: summarize([outcome for outcome in outcomes if outcome.language == language])
        for language in languages
    }


def _read_benchmarks(arguments: argparse.Namespace) -> list[tuple[str, list[EvalTask]]]:
    if arguments.benchmark == "heldout":
        return [("heldout", spread(read_tasks(arguments.tasks), arguments.limit))]
    return [
        (path.name.partition(".")[0], spread(read_humaneval(path), arguments.limit))
        for path in arguments.file
    ]


def _points(arguments: argparse.Namespace) -> list[tuple[dict[str, Any], str]]:
    """List the parameters of each measurement, with the name of its point."""
    fixed = dict(_assignment(words) for words in arguments.set)
    if not arguments.sweep:
        return [(fixed, "")]
    name, _, values = arguments.sweep.partition("=")
    pairs = [_assignment(f"{name}={value}") for value in values.split(",")]
    return [(fixed | {key: value}, f"{key}={value}") for key, value in pairs]


def _assignment(words: str) -> tuple[str, Any]:
    """Read NAME=VALUE; a value that is JSON is taken as such, any other as text.

    Raises:
        BadRequest: there is no name or no value.
    """
    name, equals, value = words.partition("=")
    if not (name and equals and value):
        raise BadRequest(f"{words!r} is not of the form NAME=VALUE")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value
