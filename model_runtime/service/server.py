"""The runtime's event loop: connections in, exactly one terminal message a request out.

`RuntimeServer.accept` takes a connection, `OpenRequests.take` its requests; the worker runs
`Engine.infill`; `OpenRequests.finish` sends the terminal message. A job that is told to stop gets
its terminal message at once; the engine sees it before its next denoising step. No log line quotes
a request's text.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from typing import TYPE_CHECKING

from model_runtime.errors import (
    ShuttingDown,
)
from model_runtime.framing import FrameError
from model_runtime.protocol import (
    PROTOCOL_VERSION,
    Cancel,
    Failed,
    Hello,
    InfillRequest,
    NextEditRequest,
    Notice,
    Refused,
    Shutdown,
    Status,
    StatusRequest,
    Stopping,
    Welcome,
)
from model_runtime.service import listen
from model_runtime.service.connection import Connection
from model_runtime.service.jobs import JobQueue
from model_runtime.service.open_requests import OpenRequests
from model_runtime.service.process import peak_memory_bytes, version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_runtime.protocol import ClientMessage, StepReport
    from model_runtime.service.jobs import Job
    from model_runtime.service.worker import Worker

log = logging.getLogger(__name__)

#: Seconds a new connection has to say `Hello`.
HELLO_S = 10.0
#: Seconds a running job has to finish when a client asks the runtime to leave.
FINISH_S = 30.0
#: Seconds a running job has to see that it was told to stop.
STEP_S = 5.0


class RuntimeServer:
    """Serves one engine to many clients.

    Args:
        worker: the thread that has the engine.
        model: the model's name, for `Status` until the engine can say.
        idle_exit_s: seconds without a request after which to leave; 0 for never.
        log_path: told in `Status`.
        problems: what is wrong from the start, one sentence each.
        n_at_once: requests that the worker may have at the same time, if its engine can.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        model: str,
        idle_exit_s: float,
        log_path: Path,
        problems: tuple[str, ...] = (),
        n_at_once: int = 1,
    ) -> None:
        self._worker = worker
        self._model = model
        self._idle_exit_s = idle_exit_s
        self._log_path = log_path
        self._problems = problems
        self._n_at_once = n_at_once
        self._queue = JobQueue(n_at_once=n_at_once)
        self._open = OpenRequests(self._queue)
        self._connections: set[Connection] = set()
        self._token = ""
        self._started = time.monotonic()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._leaving = asyncio.Event()
        self._is_urgent = False
        #: Who asked for it, and the ids of their questions.
        self._asked_to_leave: dict[Connection, str] = {}

    # --- the process's life ---------------------------------------------------------------------

    async def serve(
        self, directory: Path, transport: listen.Transport, on_ready: Callable[[], None]
    ) -> bool:
        """Serve until told to leave or idle for long enough.

        Args:
            directory: where to listen; the caller holds it.
            transport: what to listen on.
            on_ready: called once a client can connect.

        Returns:
            False if the engine did not stop, so that the process has to be ended by force.
        """
        async with listen.listen(directory, transport, self.accept) as self._token:
            work = asyncio.create_task(self._work())
            leaving = asyncio.create_task(self._leaving.wait())
            on_ready()
            self._restart_idle_clock()
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        return await self._wind_up(work)

    def leave(self, *, now: bool) -> None:
        """Stop serving: after what runs is finished, or `now`, which stops it too."""
        if now:
            self._is_urgent = True
            for job in self._queue.running:
                self._open.stop(job, ShuttingDown("the runtime was told to stop"))
        self._leaving.set()

    async def _work(self) -> None:
        await self._worker.warm()
        # Where they run one after the other, the queue decides who is next, and not the worker.
        n_at_once = self._n_at_once if self._worker.is_side_by_side else 1
        await asyncio.gather(*(self._take_turns() for _ in range(n_at_once)))

    async def _take_turns(self) -> None:
        while (job := await self._queue.get()) is not None:
            on_report = functools.partial(self._report, job)
            terminal = await self._worker.run(job, on_report)
            self._queue.done(job)
            gave_way = isinstance(terminal, Failed) and job.token.gave_way
            if gave_way and job in self._open and self._leaving.is_set():
                # There will be no other turn.
                self._open.stop(job, ShuttingDown("the runtime is leaving; try again"))
            elif gave_way and job in self._open:
                self._queue.wait_again(job)
            else:
                self._open.finish(job, terminal)
            self._restart_idle_clock()

    async def _wind_up(self, work: asyncio.Task[None]) -> bool:
        self._queue.close()
        for job in self._queue.waiting:
            self._open.stop(job, ShuttingDown("the runtime is leaving; try again"))
        if not self._is_urgent:
            await asyncio.wait({work}, timeout=FINISH_S)
        if not work.done():
            self.leave(now=True)
            await asyncio.wait({work}, timeout=STEP_S)
        has_closed = work.done() and await self._worker.close()
        for connection in self._connections:
            connection.send(Stopping(id=self._asked_to_leave.get(connection, "")))
        await asyncio.gather(*(connection.close() for connection in self._connections))
        if work.done():
            work.result()
        return has_closed

    def _restart_idle_clock(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._idle_exit_s > 0:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._idle_exit_s, self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        if not self._queue.running and not self._queue.waiting:
            log.info("idle for %.0f s, leaving", self._idle_exit_s)
            self.leave(now=False)

    # --- connections ----------------------------------------------------------------------------

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves or breaks the protocol. Others never notice."""
        connection = Connection(reader, writer)
        self._connections.add(connection)
        try:
            messages = connection.messages()
            async with asyncio.timeout(HELLO_S):
                is_welcome = self._greet(connection, await anext(messages))
            if is_welcome:
                self._restart_idle_clock()
                async for message in messages:
                    self._handle(connection, message)
            log.info("%s left", connection.name)
        except FrameError as error:
            log.warning("%s: closing the connection: %s", connection.name, error)
        except (ConnectionError, TimeoutError, StopAsyncIteration) as error:
            log.info("%s is gone: %s", connection.name, type(error).__name__)
        finally:
            self._open.abandon(connection)
            await connection.close()
            self._connections.discard(connection)

    def _greet(self, connection: Connection, hello: ClientMessage) -> bool:
        if not isinstance(hello, Hello):
            raise FrameError("the first message must be Hello")
        reason = None
        if hello.protocol_version != PROTOCOL_VERSION:
            reason = (
                f"this runtime speaks protocol {PROTOCOL_VERSION}, the client"
                f" {hello.protocol_version}; stop the runtime (process {os.getpid()})"
            )
        elif not listen.is_users_own(connection.writer) or not listen.is_token(
            hello.token, self._token
        ):
            reason = "this runtime belongs to another user"
        if reason is not None:
            log.warning("%s: refused: %s", connection.name, reason)
            connection.send(Refused(reason=reason))
            return False
        log.info("%s is %r", connection.name, hello.client)
        connection.send(
            Welcome(protocol_version=PROTOCOL_VERSION, runtime_version=version(), pid=os.getpid())
        )
        return True

    def _handle(self, connection: Connection, message: ClientMessage) -> None:
        match message:
            case InfillRequest() | NextEditRequest():
                self._restart_idle_clock()
                self._open.take(connection, message, is_leaving=self._leaving.is_set())
            case Cancel():
                self._open.cancel(connection, message.id)
            case StatusRequest():
                connection.send(self._status(message.id))
            case Shutdown():
                log.info("%s asked to leave", connection.name)
                self._asked_to_leave[connection] = message.id
                self.leave(now=False)
            case Hello():
                raise FrameError("a second Hello")

    def _status(self, request_id: str) -> Status:
        # Once: the worker's thread may bring the engine while this is put together.
        engine = self._worker.describe()
        problem = self._worker.problem
        return Status(
            id=request_id,
            runtime_version=version(),
            pid=os.getpid(),
            model=self._model if engine is None else engine.model,
            device="" if engine is None else engine.device,
            loaded=engine is not None and engine.loaded,
            n_waiting=len(self._queue.waiting),
            n_running=len(self._queue.running),
            uptime_s=time.monotonic() - self._started,
            peak_memory_bytes=peak_memory_bytes(),
            log_path=str(self._log_path),
            problems=self._problems + ((problem,) if problem else ()),
        )

    # --- requests -------------------------------------------------------------------------------

    def _report(self, job: Job, report: Notice | StepReport) -> None:
        if isinstance(report, Notice) and not self._is_loaded():
            # Everybody waits for the model, whoever's request it is that brings it.
            self._open.tell_all(report)
        else:
            self._open.report(job, report)

    def _is_loaded(self) -> bool:
        engine = self._worker.describe()
        return engine is not None and engine.loaded
