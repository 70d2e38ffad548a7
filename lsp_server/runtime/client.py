"""The runtime as features see it: ask it to fill, learn its state, stop it.

Connects on the first request and again after the runtime left or died. Whatever happens to the
runtime, each call here ends with a result or with a `ServerFault`.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

from lsp_server.errors import InfillFailed, RuntimeUnavailable
from lsp_server.runtime.link import HungUp, Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from lsp_server.runtime.link import OnReport
    from lsp_server.runtime.process import RuntimeProcess
    from model_runtime.protocol import (
        Finished,
        InfillRequest,
        NextEditRequest,
        NextEdits,
        Status,
    )

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds a runtime has to leave: longer than it gives to what runs.
STOP_S = 60.0
#: How often a runtime that is leaving, or hangs up on our greeting, is looked for anew.
MAX_TRIES = 3


class RuntimeState(enum.Enum):
    """What the status item shows."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


class RuntimeClient:
    """Sends requests to the user's runtime.

    Args:
        process: how to find or start it.
    """

    def __init__(self, process: RuntimeProcess) -> None:
        self._process = process
        self._linking: asyncio.Task[Link] | None = None
        self._state = RuntimeState.STOPPED
        self._on_state: list[Callable[[RuntimeState], None]] = []

    @property
    def state(self) -> RuntimeState:
        """What is known of the runtime."""
        return self._state

    def on_state(self, callback: Callable[[RuntimeState], None]) -> None:
        """Have a callback told of every change of state."""
        self._on_state.append(callback)

    async def infill(self, request: InfillRequest, on_report: OnReport | None = None) -> Finished:
        """Have a request filled, starting the runtime if need be.

        Cancelling the task that waits here cancels the request.

        Args:
            request: its id must be unlike those of other open requests.
            on_report: told of notices and denoising steps as they come.

        Raises:
            InfillFailed: the runtime said no, or died.
            RuntimeUnavailable: it can't be started or reached.
        """
        return await self._asked(lambda link: link.infill(request, on_report))

    async def next_edits(self, request: NextEditRequest) -> NextEdits:
        """Have the next edits found; see `infill`."""
        return await self._asked(lambda link: link.next_edits(request))

    async def _asked(self, ask: Callable[[Link], Coroutine[Any, Any, T]]) -> T:
        for n_left in reversed(range(MAX_TRIES)):
            link = await self._linked()
            try:
                finished = await ask(link)
            except InfillFailed as fault:
                if fault.code == "shutting_down" and n_left:
                    # The request met a runtime that was leaving; the next one waits for its end.
                    await link.wait_closed()
                    continue
                if fault.code != "runtime_died":
                    self._process.served()
                raise
            break
        self._process.served()
        return finished

    async def status(self) -> Status | None:
        """Return what runs; None if nothing does. Starts nothing.

        Raises:
            RuntimeUnavailable: something runs that can't be asked.
        """
        async with self._existing_link() as link:
            return None if link is None else await link.status()

    async def stop(self) -> bool:
        """End the runtime, once it has finished what runs; False if none does.

        Raises:
            RuntimeUnavailable: something runs that can't be stopped.
        """
        async with self._existing_link() as link:
            if link is None:
                return False
            try:
                async with asyncio.timeout(STOP_S):
                    await link.shut_down()
            except TimeoutError as error:
                raise RuntimeUnavailable(
                    f"The runtime (process {link.pid}) does not stop; end that process."
                ) from error
            return True

    async def close(self) -> None:
        """Hang up; open requests are cancelled. The runtime goes on for other editors."""
        linking, self._linking = self._linking, None
        if linking is None:
            return
        linking.cancel()
        await asyncio.wait({linking})
        if not linking.cancelled() and linking.exception() is None:
            await linking.result().close()
        self._become(RuntimeState.STOPPED)

    async def _linked(self) -> Link:
        """Return the open link; the first caller makes it, the others wait for the same one."""
        if self._linking is None:
            self._linking = asyncio.create_task(self._link())
            self._linking.add_done_callback(self._forget_failure)
        # Shielded: a caller that gives up must not take it from the others.
        return await asyncio.shield(self._linking)

    async def _link(self) -> Link:
        self._become(RuntimeState.STARTING)
        for _ in range(MAX_TRIES):
            stream = await self._process.find_or_start()
            try:
                link = await Link.open(stream, _own_name(), self._on_closed)
            except HungUp:
                continue
            self._become(RuntimeState.RUNNING)
            return link
        raise RuntimeUnavailable(
            f"The runtime hangs up on every connection. {self._process.last_words()}"
        )

    def _forget_failure(self, linking: asyncio.Task[Link]) -> None:
        if linking.cancelled() or linking.exception() is None:
            return
        log.error("no runtime: %s", linking.exception())
        if self._linking is linking:
            self._linking = None
            self._become(RuntimeState.FAILED)

    def _on_closed(self, link: Link) -> None:
        if self._linking is None:  # `close` did it
            return
        self._linking = None
        if link.was_told or not link.n_open:
            self._become(RuntimeState.STOPPED)
            return
        self._process.failed()
        text = f"{link.farewell} {self._process.last_words()}"
        link.farewell = InfillFailed("runtime_died", text.rstrip())
        self._become(RuntimeState.FAILED)

    @contextlib.asynccontextmanager
    async def _existing_link(self) -> AsyncIterator[Link | None]:
        """Lend the open link, or one made for the occasion; None if no runtime runs."""
        if self._linking is not None:
            yield await self._linked()
            return
        stream = await self._process.find()
        if stream is None:
            yield None
            return
        try:
            link = await Link.open(stream, _own_name(), lambda _: None)
        except HungUp:
            yield None
            return
        try:
            yield link
        finally:
            await link.close()

    def _become(self, state: RuntimeState) -> None:
        if state is self._state:
            return
        self._state = state
        for callback in self._on_state:
            callback(state)


def _own_name() -> str:
    return f"remask, process {os.getpid()}"
