"""`remask eval humaneval`, `heldout` and `join`: fills of any engine, at one setting or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.humaneval import read_humaneval
from model_runtime.evaluation.metrics import grouped, summarize
from model_runtime.evaluation.report import Run, markdown, read_report, write_report
from model_runtime.evaluation.run import (
    describe_machine,
    engine_of,
    evaluate,
    filler_of,
    journal_of,
    spread,
)
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask


def main(arguments: argparse.Namespace) -> str:
    """Measure or join; write the report, and return it."""
    if arguments.benchmark == "join":
        runs = [run for path in arguments.report for run in read_report(path)]
    else:
        with engine_of(arguments) as engine:
            runs = [
                _measure(arguments, engine, name, tasks, params, point)
                for name, tasks in _read_benchmarks(arguments).items()
                for params, point in _points(arguments)
            ]
    write_report(runs, arguments.out)
    return markdown(runs)


def _measure(
    arguments: argparse.Namespace,
    engine: Engine,
    name: str,
    tasks: list[EvalTask],
    params: dict[str, Any],
    point: str,
) -> Run:
    sampler, seed = load_settings(flags_of(arguments)).sampler, arguments.seed
    series = arguments.series or sampler or "default"
    machine = describe_machine(engine)
    settings = {
        "sampler": sampler,
        "params": params,
        "seed": seed,
        "n_tasks": len(tasks),
        "settings": flags_of(arguments),
    }
    label = f"{name} {series} {point}".strip()
    journal = journal_of(arguments, label, settings | machine, Outcome)
    filler = filler_of(engine, sampler=sampler, params=params)
    run_checks = not getattr(arguments, "no_run", False)
    outcomes = evaluate(tasks, filler, seed=seed, run_checks=run_checks, journal=journal)
    by_language = grouped(outcomes, lambda outcome: outcome.language)
    return Run(
        benchmark=name,
        series=series,
        point=point,
        settings=settings,
        machine=machine,
        summary=summarize(outcomes),
        by_language={language: summarize(some) for language, some in by_language.items()},
    )


def _read_benchmarks(arguments: argparse.Namespace) -> dict[str, list[EvalTask]]:
    if arguments.benchmark == "heldout":
        found = {"heldout": read_tasks(arguments.tasks)}
    else:
        found = {path.name.partition(".")[0]: read_humaneval(path) for path in arguments.file}
    return {name: spread(tasks, arguments.limit) for name, tasks in found.items()}


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
