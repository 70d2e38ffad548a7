"""The one thread that has the engine.

The event loop hands it jobs and waits for their terminal messages. Whatever the engine does or
raises, `Worker.run` returns one. This is the job boundary: the only place where any exception
at all is caught.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
import traceback
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from model_runtime.engines.base import NextEditEngine, ReadingEngine, SideBySideEngine
from model_runtime.errors import ModelLoadFailed, RuntimeFault, UnsupportedPairing
from model_runtime.protocol import Failed, InfillRequest, Notice, StepReport
from model_runtime.service.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.engines.base import Engine, EngineDescription
    from model_runtime.protocol import Finished, NextEdits
    from model_runtime.service.jobs import Job

log = logging.getLogger(__name__)

#: Seconds a closing engine may take.
CLOSE_S = 5.0


class Worker:
    """Runs jobs on its own thread: one after the other, or side by side if the engine can.

    Args:
        make_engine: called on that thread, so that what it imports delays nobody.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._engine: Engine | None = None
        #: Jobs that the thread has not taken yet.
        self._waiting: deque[Callable[[], None]] = deque()
        self._closing = False
        #: The last thing that kept the engine or its model from loading; None when all is well.
        self.problem: str | None = None

    @property
    def is_side_by_side(self) -> bool:
        """Whether there is an engine, and it can have several jobs at the same time."""
        return isinstance(self._engine, SideBySideEngine)

    async def warm(self) -> None:
        """Make the engine ahead of the first job. A failure shows in `problem`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._warm)

    async def run(
        self, job: Job, on_report: Callable[[Notice | StepReport], None]
    ) -> Finished | NextEdits | Failed:
        """Run a job and return its terminal message.

        Args:
            job: what to do.
            on_report: called on the event loop with the newest report, before this returns.
        """
        loop = asyncio.get_running_loop()
        terminal: asyncio.Future[Finished | NextEdits | Failed] = loop.create_future()
        listener = _Listener(job, loop, on_report)

        def end(message: Finished | NextEdits | Failed) -> None:
            if not terminal.done():
                terminal.set_result(message)

        def work() -> None:
            loop.call_soon_threadsafe(end, self._run(job, listener))

        self._waiting.append(work)
        # Where a job that runs has taken this one along by then, nothing is left to do.
        self._thread.submit(self._run_all)
        return await terminal

    def describe(self) -> EngineDescription | None:
        """Say what is loaded; None until there is an engine."""
        return None if self._engine is None else self._engine.describe()

    async def close(self) -> bool:
        """Close the engine. False if the thread is stuck, and the process has to be ended."""
        loop = asyncio.get_running_loop()
        self._closing = True
        try:
            async with asyncio.timeout(CLOSE_S):
                await loop.run_in_executor(self._thread, self._close)
        except TimeoutError:
            return False
        self._thread.shutdown(wait=False)
        return True

    def _ready_engine(self) -> Engine:
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine

    def _warm(self) -> None:
        try:
            self._ready_engine()
        except RuntimeFault as fault:
            self.problem = str(fault)
        except Exception as error:  # noqa: BLE001  # the job boundary
            self.problem = _bug(error)

    def _run_all(self) -> None:
        if isinstance(self._engine, SideBySideEngine):
            self._engine.run_side_by_side(self._take)
        else:
            while (work := self._take()) is not None:
                work()
        if isinstance(self._engine, ReadingEngine) and not self._is_wanted():
            try:
                self._engine.read_ahead(self._is_wanted)
            except Exception as error:  # noqa: BLE001  # nobody waits for it
                _bug(error)

    def _is_wanted(self) -> bool:
        return bool(self._waiting) or self._closing

    def _take(self) -> Callable[[], None] | None:
        return self._waiting.popleft() if self._waiting else None

    def _run(self, job: Job, listener: _Listener) -> Finished | NextEdits | Failed:
        started = time.monotonic()
        try:
            job.token.check()
            finished = self._answer(job, listener)
            self.problem = None
            usage = msgspec.structs.replace(finished.usage, queue_s=started - job.arrived)
            return msgspec.structs.replace(finished, id=job.request.id, usage=usage)
        except RuntimeFault as fault:
            if isinstance(fault, ModelLoadFailed):
                self.problem = str(fault)
            return Failed(id=job.request.id, code=fault.code, text=str(fault))
        except BaseException as error:  # noqa: BLE001  # the job boundary
            return Failed(id=job.request.id, code="internal", text=_bug(error))

    def _answer(self, job: Job, listener: _Listener) -> Finished | NextEdits:
        engine, request = self._ready_engine(), job.request
        patience = Patience(job.token, engine)
        if isinstance(request, InfillRequest):
            return engine.infill(request, listener, patience)
        if isinstance(engine, NextEditEngine):
            return engine.next_edits(request, listener, patience)
        raise UnsupportedPairing(f"engine {engine.name!r} can't tell what to edit next")

    def _close(self) -> None:
        if self._engine is not None:
            try:
                self._engine.close()
            except Exception as error:  # noqa: BLE001  # it leaves anyway
                _bug(error)


class _Listener:
    """Takes an engine's news to the event loop: the newest of each kind, never waiting."""

    def __init__(
        self,
        job: Job,
        loop: asyncio.AbstractEventLoop,
        on_report: Callable[[Notice | StepReport], None],
    ) -> None:
        self._job = job
        self._loop = loop
        self._on_report = on_report
        self._lock = threading.Lock()
        self._newest: dict[type, Notice | StepReport] = {}

    def notice(self, text: str, fraction: float | None = None) -> None:
        self._post(Notice(id=self._job.request.id, text=text, fraction=fraction))

    def step(self, report: StepReport) -> None:
        request = self._job.request
        if isinstance(request, InfillRequest) and request.stream:
            self._post(msgspec.structs.replace(report, id=self._job.request.id))

    def _post(self, report: Notice | StepReport) -> None:
        with self._lock:
            is_scheduled = bool(self._newest)
            self._newest[type(report)] = report
        if not is_scheduled:
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, {}
        for report in newest.values():
            self._on_report(report)


def log_bug(error: BaseException) -> str:
    """Log an unforeseen exception and return the reference it can be found by.

    The log gets its type and where it was raised, never its message: that may quote a buffer.
    """
    reference = secrets.token_hex(4)
    while_handling: BaseException | None = error
    lines = []
    while while_handling is not None:
        lines += [
            type(while_handling).__name__,
            *traceback.format_tb(while_handling.__traceback__),
        ]
        while_handling = while_handling.__cause__ or while_handling.__context__
    log.error("bug %s: %s", reference, "\n".join(lines))
    return reference


def _bug(error: BaseException) -> str:
    reference = log_bug(error)
    message = str(error)[:200]
    return (
        f"The runtime hit a bug, number {reference} in its log: {type(error).__name__}: {message}"
    )
