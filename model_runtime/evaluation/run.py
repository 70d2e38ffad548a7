"""Filling and judging every task of a list; what a run is told, and what it says of itself."""

from __future__ import annotations

import contextlib
import logging
import platform
import re
import time
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from model_runtime.bench.machine import commit, processor
from model_runtime.engines import ENGINES
from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.base import EvalTask, Fill, Outcome
from model_runtime.evaluation.execution import run_program
from model_runtime.evaluation.humaneval import program
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


class EngineFiller:
    """Fills through an engine, as the runtime would for an editor.

    Args:
        engine: does the work.
        fields: of each request: the sampler and its parameters, say.
    """

    def __init__(self, engine: Engine, **fields: Any) -> None:
        self._engine = engine
        self._fields = fields

    def __call__(self, task: EvalTask, seed: int) -> Fill:
        """Send one request and wait for its end."""
        request = msgspec.structs.replace(task.request(seed), **self._fields)
        answer = ask(self._engine, request)
        usage = answer.finished.usage
        return Fill(
            text=answer.text,
            n_forwards=usage.n_forwards,
            n_tokens=usage.n_tokens,
            seconds=answer.seconds,
        )


def evaluate(
    tasks: Sequence[EvalTask],
    filler: Filler,
    *,
    seed: int = 0,
    run_checks: bool = True,
    journal: Journal[Outcome] | None = None,
) -> list[Outcome]:
    """Fill and judge every task, in order.

    Args:
        tasks: what to fill.
        filler: fills.
        seed: of every task.
        run_checks: run the completed programs of tasks that have a check.
        journal: where outcomes are kept; what stands there already is not done again.
    """

    def outcome(task: EvalTask) -> Outcome:
        fill = filler(task, seed)
        ran = run_program(program(task, fill.text)) if run_checks and task.check else None
        return judge(task, fill, ran.verdict if ran else None)

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


@contextlib.contextmanager
def engine_of(arguments: argparse.Namespace, name: str = "", **settings: Any) -> Iterator[Any]:
    """Lend the engine that a command line asks for, and close it.

    Args:
        arguments: with the runtime's flags.
        name: of an engine that it has to be.
        settings: others than are asked for.
    """
    asked = load_settings(flags_of(arguments) | settings)
    make: Any = ENGINES.load(name or asked.engine)
    with contextlib.closing(make(asked)) as engine:
        yield engine


def journal_of(
    arguments: argparse.Namespace,
    name: str,
    settings: dict[str, Any],
    kind: type[R],
    *names: str,
) -> Journal[R]:
    """Open the journal of a measurement in the folder of the report; see `Journal`.

    Whether what stands there still holds after another commit, who resumes it says.
    """
    settings = {name: value for name, value in settings.items() if name != "commit"}
    file_name = re.sub(r"[^\w.=-]+", "-", name) + ".jsonl"
    return Journal(arguments.out / file_name, settings, kind, *names, resume=arguments.resume)
