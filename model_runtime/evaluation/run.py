"""Filling and judging every task of a list; what a run is told, and what it says of itself."""

from __future__ import annotations

import contextlib
import logging
import platform
import re
import time
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from model_runtime.bench.machine import commit, processor
from model_runtime.engines import ENGINES
from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.base import EvalTask, Fill, Outcome
from model_runtime.evaluation.humaneval import try_out
from model_runtime.evaluation.journal import Journal, once
from model_runtime.evaluation.metrics import judge
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import Filler

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)

log = logging.getLogger(__name__)

_TELL_EVERY_S = 30.0
#: Filled once, and not counted, before anything is timed.
WARM_UP = EvalTask(
    id="warm-up",
    language="python",
    prefix="def add(a, b):\n    return ",
    suffix="\n",
    reference="a + b",
    single_line=True,
)


def filler_of(engine: Engine, **fields: Any) -> Filler:
    """Return what fills through an engine, as the runtime would for an editor.

    Some fields of each request may be set: the sampler and its parameters, say.
    """

    def fill(task: EvalTask, seed: int) -> Fill:
        answer = ask(engine, msgspec.structs.replace(task.request(seed), **fields))
        usage = answer.finished.usage
        return Fill(
            text=answer.text,
            n_forwards=usage.n_forwards,
            n_tokens=usage.n_tokens,
            seconds=answer.seconds,
        )

    return fill


def evaluate(
    tasks: Sequence[EvalTask],
    filler: Filler,
    *,
    seed: int = 0,
    run_checks: bool = True,
    journal: Journal[Outcome] | None = None,
) -> list[Outcome]:
    """Fill and judge every task, in order, and run the completed programs of those with a check.

    What stands in the journal already is not done again.
    """

    def outcome(task: EvalTask) -> Outcome:
        fill = filler(task, seed)
        return judge(task, fill, try_out(task, fill.text) if run_checks and task.check else None)

    outcomes = []
    started = told = time.monotonic()
    for task in tasks:
        outcomes.append(once(journal, task.id, partial(outcome, task)))
        if (now := time.monotonic()) - told > _TELL_EVERY_S:
            log.info("%d of %d tasks, %.0f s", len(outcomes), len(tasks), now - started)
            told = now
    return outcomes


def spread(tasks: Sequence[T], n: int | None) -> list[T]:
    """Choose n tasks evenly: neighbours are gaps of one function, and would say the same."""
    if n is None or n >= len(tasks):
        return list(tasks)
    return [tasks[i * len(tasks) // n] for i in range(n)]


def describe_machine(engine: Engine) -> dict[str, str]:
    """Say where the figures come from."""
    described = engine.describe()
    versions = {
        f"{name} version": metadata.version(name)
        for name in ("remask", "torch")
        if any(metadata.distributions(name=name))
    }
    return {
        "processor": processor(),
        "commit": commit(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "model": described.model,
        "device": described.device,
        **versions,
    }


def described(machine: dict[str, str]) -> str:
    """Return what a page says of the machine."""
    return ", ".join(f"{name} {value}" for name, value in machine.items() if value)


def today() -> str:
    """Return the date that a page bears."""
    return time.strftime("%Y-%m-%d")


@contextlib.contextmanager
def engine_of(arguments: argparse.Namespace, name: str = "", **settings: Any) -> Iterator[Any]:
    """Lend the engine that a command line asks for, its model loaded, and close it.

    Args:
        arguments: with the runtime's flags.
        name: of an engine that it has to be.
        settings: others than are asked for.
    """
    asked = load_settings(flags_of(arguments) | settings)
    make: Any = ENGINES.load(name or asked.engine)
    with contextlib.closing(make(asked)) as engine:
        ask(engine, WARM_UP.request())
        yield engine


def journal_of(
    arguments: argparse.Namespace, name: str, depends: dict[str, Any], kind: type[R], *names: str
) -> Journal[R]:
    """Open the journal of a measurement in the folder of the report; see `Journal`.

    Whether what stands there still holds after another commit, who resumes it says.
    """
    depends = {name: value for name, value in depends.items() if name != "commit"}
    file_name = re.sub(r"[^\w.=-]+", "-", name) + ".jsonl"
    return Journal(arguments.out / file_name, depends, kind, *names, resume=arguments.resume)


class Session(NamedTuple):
    """What a benchmark measures with."""

    engine: Any
    machine: dict[str, str]
    journal: Journal[Any]


@contextlib.contextmanager
def session(
    arguments: argparse.Namespace,
    kind: type[msgspec.Struct],
    *names: str,
    engine: str = "local",
    **depends: str,
) -> Iterator[Session]:
    """Lend an engine, and the journal of a benchmark that is measured with it.

    Args:
        arguments: of the command line.
        kind: of outcome; see `Journal`, for `names`, too.
        names: the fields that tell outcomes apart.
        engine: see `engine_of`.
        depends: what outcomes depend on beside the machine.
    """
    with engine_of(arguments, engine) as lent:
        machine = describe_machine(lent)
        journal = journal_of(arguments, arguments.benchmark, machine | depends, kind, *names)
        yield Session(lent, machine, journal)
