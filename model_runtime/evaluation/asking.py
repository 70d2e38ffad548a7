"""Asking an engine as an editor would, and looking at the clocks."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.engines.base import Engine
    from model_runtime.protocol import Finished, InfillRequest, StepReport

log = logging.getLogger(__name__)


class Patient:
    """Listens without a word, lets a job run to its end, and notes when the first draft came."""

    def __init__(self) -> None:
        self.first_at: float | None = None

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Log what the engine says; a download takes its time."""
        if fraction is None:
            log.info("%s", text)

    def step(self, report: StepReport) -> None:
        """Look at the clock, the first time."""
        del report
        if self.first_at is None:
            self.first_at = time.perf_counter()

    def check(self) -> None:
        """Never raise."""


class Clock:
    """Counts seconds from when it is made."""

    def __init__(self) -> None:
        self.started, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Of the wall."""
        return time.perf_counter() - self.started

    @property
    def processor_s(self) -> float:
        """Of the processor, all threads together: other work on the machine does not count."""
        return time.process_time() - self._processor


@dataclass(frozen=True)
class Answer:
    """An answer, and when it came."""

    finished: Finished
    #: Seconds until the first draft could be shown, and until the answer.
    first_s: float
    seconds: float
    #: See `Clock`.
    processor_s: float

    @property
    def texts(self) -> list[str]:
        """The first span's fill in each alternative."""
        return [alternative.texts[0] for alternative in self.finished.alternatives]

    @property
    def text(self) -> str:
        """The best fill."""
        return self.texts[0]

    @property
    def n_tokens(self) -> int:
        """Tokens of the fill, at least one."""
        return max(1, self.finished.usage.n_tokens)


def ask(engine: Engine, request: InfillRequest) -> Answer:
    """Send a request and wait for its end."""
    client, clock = Patient(), Clock()
    finished = engine.infill(request, client, client)
    seconds, processor_s = clock.seconds, clock.processor_s
    first_s = seconds if client.first_at is None else client.first_at - clock.started
    return Answer(finished, first_s, seconds, processor_s)
