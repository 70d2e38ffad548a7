"""The language server's end of its index: started when it is first wanted, asked, never waited for.

An index that dies is started again, a few times; where it does not answer in time, nothing of other
files is shown. It is a help and no need.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.project.messages import (
    Ask,
    AskState,
    Changed,
    Chosen,
    Closed,
    Folders,
    FromIndex,
    Opened,
    State,
    Unpacker,
    packed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsp_server.documents import DocumentSnapshot
    from model_runtime.protocol import ContextFile

LOG = logging.getLogger(__name__)

#: A process that died so often is not started again.
MAX_STARTS = 3
#: Seconds that it has to leave, once it is let go.
LEAVING_S = 2.0
#: A document that is longer is not sent.
MAX_TEXT = 256 * 1024


class ProjectIndex:
    """Asks the index of the workspace.

    Args:
        command: starts it.
    """

    def __init__(
        self, command: Sequence[str] = (sys.executable, "-m", "lsp_server.project")
    ) -> None:
        self._command = command
        self._transport: asyncio.SubprocessTransport | None = None
        self._starting: asyncio.Future[None] | None = None
        self._n_starts = 0
        self._ids = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._folders: Folders | None = None
        #: Of each open document, what was sent of it.
        self._sent: dict[str, str] = {}
        self._is_closed = False
        #: Set while there is no process.
        self._has_left = asyncio.Event()
        self._has_left.set()

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._transport is not None

    async def start(self, folders: Folders) -> bool:
        """Start it if need be, and tell it the folders; return whether it runs."""
        if self._starting is not None:
            await asyncio.shield(self._starting)
        if self._transport is None and folders.roots and not self._is_closed:
            if self._n_starts >= MAX_STARTS:
                return False
            self._n_starts += 1
            loop = asyncio.get_running_loop()
            self._starting = loop.create_future()
            try:
                transport, _ = await loop.subprocess_exec(
                    lambda: _Pipe(self), *self._command, stderr=None
                )
                self._transport, self._folders, self._sent = transport, None, {}
                self._has_left.clear()
            except OSError as error:
                LOG.warning("The index of the workspace did not start: %s", error)
            finally:
                self._starting.set_result(None)
                self._starting = None
        if self._transport is not None and folders != self._folders:
            self._folders = folders
            self._sent = {}
            self._send(folders)
        return self._transport is not None

    def open(self, path: str, text: str) -> None:
        """Tell of an open document, unless it is told already."""
        if self.is_running and len(text) <= MAX_TEXT and self._sent.get(path) != text:
            self._sent[path] = text
            self._send(Opened(path, text))

    def close_document(self, path: str) -> None:
        """Tell that a document is closed."""
        if self._sent.pop(path, None) is not None:
            self._send(Closed(path))

    def changed(self, paths: Iterable[str]) -> None:
        """Tell of files that came, changed or went."""
        if self.is_running and (told := tuple(paths)):
            self._send(Changed(told))

    async def choose(
        self, snapshot: DocumentSnapshot, text: str, at: int, n_bytes: int, patience_s: float
    ) -> tuple[ContextFile, ...] | None:
        """Return what of other files to show; None where it does not answer in time.

        Args:
            snapshot: the document.
            text: all of it, which may be a little more than what is saved of it in `snapshot`.
            at: the cursor, in characters.
            n_bytes: the most to show.
            patience_s: how long to wait.
        """
        if len(text) > MAX_TEXT:
            return ()
        self._sent[snapshot.path] = text
        ask = Ask(next(self._ids), snapshot.path, snapshot.language, text, at, n_bytes)
        answer = await self._asked(ask, patience_s)
        return answer.files if isinstance(answer, Chosen) else None

    async def state(self, *, when_done: bool = False, patience_s: float = 600.0) -> State | None:
        """Return how far it is; None where it does not run."""
        answer = await self._asked(AskState(next(self._ids), when_done), patience_s)
        return answer if isinstance(answer, State) else None

    async def close(self) -> None:
        """Let it go: it leaves once its input ends."""
        self._is_closed = True
        if (transport := self._transport) is not None:
            self.lost()
            if pipe := transport.get_pipe_transport(0):
                pipe.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING_S):
                await self._has_left.wait()
        if transport is not None:
            transport.close()

    def left(self) -> None:
        """Take word that the process has ended."""
        self._has_left.set()
        self.lost()

    # --- what the pipe tells ---------------------------------------------------------------------

    def heard(self, message: Chosen | State) -> None:
        """Take an answer."""
        if (answer := self._answers.pop(message.id, None)) and not answer.done():
            answer.set_result(message)

    def lost(self) -> None:
        """The process has gone, or says what is no message."""
        self._transport = None
        self._sent = {}
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)
        self._answers.clear()

    async def _asked(self, ask: Ask | AskState, patience_s: float) -> Chosen | State | None:
        if self._transport is None:
            return None
        answer = self._answers[ask.id] = asyncio.get_running_loop().create_future()
        self._send(ask)
        try:
            async with asyncio.timeout(patience_s):
                found: Chosen | State | None = await answer
                return found
        except TimeoutError:
            return None
        finally:
            self._answers.pop(ask.id, None)

    def _send(self, message: Any) -> None:
        pipe = self._transport.get_pipe_transport(0) if self._transport else None
        if isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(packed(message))


class _Pipe(asyncio.SubprocessProtocol):
    """The process's streams."""

    def __init__(self, index: ProjectIndex) -> None:
        self._index = index
        self._unpacker = Unpacker(FromIndex)
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember how to end it."""
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101  as its kind says
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """Pass answers on."""
        if fd != 1 or isinstance(data, str):
            return
        try:
            for message in self._unpacker.feed(data):
                self._index.heard(message)
        except msgspec.DecodeError:
            if self._transport is not None:
                self._transport.close()

    def process_exited(self) -> None:
        """Tell that it has gone."""
        if self._transport is not None:
            self._transport.close()
        self._index.left()
