"""An engine whose every step a test hands out, and a server around it, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from model_runtime.engines.base import EngineDescription
from model_runtime.errors import Stopped
from model_runtime.protocol import Alternative, Finished, NextEdits, StepReport, Usage
from model_runtime.service.server import RuntimeServer
from model_runtime.service.worker import Worker
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.protocol import InfillRequest, NextEditRequest

#: Seconds after which a test that hangs fails instead.
PATIENCE_S = 20.0


class SteppedEngine:
    """Takes a step each time the test says so, until it is told to finish or to stop."""

    name: ClassVar[str] = "stepped"

    def __init__(self) -> None:
        self._started: queue.Queue[InfillRequest | NextEditRequest] = queue.Queue()
        self._orders: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._done: queue.Queue[None] = queue.Queue()
        #: Why jobs stopped, in order; None for one that finished.
        self.ends: list[type[Stopped] | None] = []
        self.thread_names: set[str] = set()
        self.closed = threading.Event()
        #: What its reports show, and what it fills in.
        self.draft = ""
        self.committed = ""
        self.text = "done"
        #: Whether its model is there.
        self.loaded = True
        #: Of the job that runs.
        self.listener: Listener | None = None

    async def started(self) -> InfillRequest | NextEditRequest:
        """Wait until a job runs and return its request."""
        return await asyncio.to_thread(self._started.get, timeout=PATIENCE_S)

    async def step(self, act: Callable[[], None] = lambda: None) -> None:
        """Let the running job take one step, in which it does `act`, and wait for it."""
        self._orders.put(act)
        await asyncio.to_thread(self._done.get, timeout=PATIENCE_S)

    async def tell(self, text: str) -> None:
        """Let the running job say what takes it long."""
        assert self.listener is not None
        listener = self.listener
        await self.step(lambda: listener.notice(text))

    def finish(self) -> None:
        """Let the running job finish, or the next one if none runs."""
        self._orders.put(None)

    def next_edits(
        self, request: NextEditRequest, listener: Listener, cancel: CancelToken
    ) -> NextEdits:
        """Do as the test says, and find nothing."""
        self._run(request, listener, cancel)
        return NextEdits(id="", proposals=(), model="stepped", usage=Usage())

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Do as the test says."""
        self._run(request, listener, cancel)
        return _finished(self.text)

    def _run(
        self, request: InfillRequest | NextEditRequest, listener: Listener, cancel: CancelToken
    ) -> None:
        self.thread_names.add(threading.current_thread().name)
        self.listener = listener
        self._started.put(request)
        step_index = 0
        try:
            while (act := self._orders.get(timeout=PATIENCE_S)) is not None:
                try:
                    cancel.check()
                    act()
                    listener.step(_report(step_index, self.draft, self.committed))
                finally:
                    self._done.put(None)
                step_index += 1
            cancel.check()
        except Stopped as stopped:
            self.ends.append(type(stopped))
            raise
        self.ends.append(None)

    def describe(self) -> EngineDescription:
        """Say something."""
        return EngineDescription(model="stepped", device="none", loaded=self.loaded)

    def close(self) -> None:
        """Note it."""
        self.closed.set()


def _report(step_index: int, draft: str, committed: str) -> StepReport:
    # Without an id, like the terminal message: the worker sets both.
    return StepReport(
        id="",
        step_index=step_index,
        n_forwards=step_index + 1,
        n_committed=0,
        drafts=(draft,),
        committed=(committed,),
    )


def _finished(text: str) -> Finished:
    return Finished(
        id="",
        alternatives=(Alternative(texts=(text,)),),
        model="stepped",
        sampler="stepped",
        seed=0,
        usage=Usage(),
    )


@contextlib.asynccontextmanager
async def serving(
    engine: SteppedEngine, directory: Path, *, idle_exit_s: float = 0.0
) -> AsyncIterator[tuple[RuntimeServer, asyncio.Task[bool]]]:
    """Serve an engine while the context lasts; yields the server and its `serve` task."""
    server = RuntimeServer(
        Worker(lambda: engine),
        model="stepped",
        idle_exit_s=idle_exit_s,
        log_path=Path("runtime.log"),
        n_at_once=RuntimeSettings().requests_at_once,
    )
    is_ready = asyncio.Event()
    task = asyncio.create_task(server.serve(directory, "unix", is_ready.set))
    await is_ready.wait()
    try:
        yield server, task
    finally:
        server.leave(now=True)
        # A step to see it in, for a job that still runs.
        engine.finish()
        async with asyncio.timeout(PATIENCE_S):
            assert await task
