"""Asking a filler about every task, judging what it says, and keeping it as it comes.

Outcomes are written one a line as they come, behind the settings they hold for; so an evaluation
that was cut off can go on where it stopped.
"""

from __future__ import annotations

import logging
import platform
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from model_runtime.evaluation.base import EvalTask, Fill, Outcome
from model_runtime.evaluation.execution import run_program
from model_runtime.evaluation.humaneval import program
from model_runtime.evaluation.metrics import judge
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import Filler
    from model_runtime.protocol import StepReport

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
        model: registry name; empty takes the engine's.
        sampler: registry name; empty takes the model's default.
        params: of the sampler.
    """

    def __init__(
        self,
        engine: Engine,
        model: str = "",
        sampler: str = "",
        params: dict[str, Any] | None = None,
    ) -> None:
        self._engine = engine
        self._model = model
        self._sampler = sampler
        self._params = params or {}

    def __call__(self, task: EvalTask, seed: int) -> Fill:
        """Send one request and wait for its end."""
        request = InfillRequest(
            id=task.id,
            path=task.path,
            # A document of its own: no task profits from a context that another one encoded.
            document=task.id,
            language=task.language,
            prefix=task.prefix,
            suffix=task.suffix,
            spans=(MaskSpan(single_line=task.single_line),),
            model=self._model,
            sampler=self._sampler,
            params=self._params,
            seed=seed,
        )
        started = time.perf_counter()
        finished = self._engine.infill(request, Deaf(), Unstoppable())
        seconds = time.perf_counter() - started
        usage = finished.usage
        return Fill(
            text=finished.alternatives[0].texts[0],
            n_forwards=usage.n_forwards,
            n_tokens=usage.n_tokens,
            seconds=seconds,
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
    outcomes = {outcome.id: outcome for outcome in journal.read()} if journal else {}
    started = told = time.monotonic()
    for n_done, task in enumerate(tasks):
        if task.id in outcomes:
            continue
        fill = filler(task, seed)
        ran = run_program(program(task, fill.text)) if run_checks and task.check else None
        outcome = judge(task, fill, ran.verdict if ran else None)
        outcomes[task.id] = outcome
        if journal:
            journal.append(outcome)
        if (now := time.monotonic()) - told > _TELL_EVERY_S:
            log.info("%d of %d tasks, %.0f s", n_done + 1, len(tasks), now - started)
            told = now
    return [outcomes[task.id] for task in tasks]


class Journal(Generic[R]):
    """Outcomes in a file, one a line, behind a line that says what they hold for.

    Args:
        path: made if need be.
        settings: what the outcomes depend on.
        kind: of outcome.
        resume: keep what stands there, if it holds for the same settings. Weights are not among
            them: to resume is to say that they have not changed.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        kind: type[R] = Outcome,  # type: ignore[assignment]  # R is Outcome where none is given
        *,
        resume: bool = False,
    ) -> None:
        self._path = path
        self._kind = kind
        head = msgspec.json.encode(settings, order="sorted")
        lines = path.read_bytes().splitlines() if resume and path.exists() else []
        if lines[:1] != [head]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(head + b"\n")

    def read(self) -> list[R]:
        """Return what stands there; a last line that was cut off is left out."""
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._path.write_bytes(whole)
        return [msgspec.json.decode(line, type=self._kind) for line in whole.splitlines()[1:]]

    def append(self, outcome: R) -> None:
        """Add one outcome."""
        with self._path.open("ab") as out:
            out.write(msgspec.json.encode(outcome) + b"\n")


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
        "platform": platform.platform(),
        "python": platform.python_version(),
        "model": described.model,
        "device": described.device,
        **versions,
    }


class Deaf:
    """A listener that nobody stands behind."""

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Log what the engine says; a download takes its time."""
        if fraction is None:
            log.info("%s", text)

    def step(self, report: StepReport) -> None:
        """Drop it."""


class Unstoppable:
    """A cancel token that lets a job run to its end."""

    def check(self) -> None:
        """Never raise."""
