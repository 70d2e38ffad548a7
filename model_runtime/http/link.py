"""One open connection to the runtime, from a client's end: ids to futures.

Every request sent over it ends: with the runtime's terminal message or, when the connection
closes first, with "runtime_died". The language server has a link of its own: neither
package may import the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_runtime.framing import FrameError, encode, runtime_message_decoder
from model_runtime.http.faults import NotFilled
from model_runtime.protocol import (
    ADDRESS_NAME,
    PROTOCOL_VERSION,
    SOCKET_NAME,
    Cancel,
    Failed,
    Finished,
    Hello,
    Notice,
    Refused,
    Status,
    StatusRequest,
    StepReport,
    Welcome,
)
from model_runtime.service import listen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_runtime.protocol import InfillRequest, Message, RuntimeMessage

    OnStep = Callable[[StepReport], None]
    OnNotice = Callable[[Notice], None]

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
#: Seconds the runtime has to answer `Hello`.
WELCOME_S = 30.0


class NoRuntime(Exception):
    """Nothing listens, or it hung up before a welcome."""


@dataclass
class _Open:
    answer: asyncio.Future[Finished]
    on_step: OnStep | None
    on_notice: OnNotice | None


class Link:
    """A connection after its greeting. Make one with `Link.open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = runtime_message_decoder()
        self._requests: dict[str, _Open] = {}
        self._questions: dict[str, asyncio.Future[Status]] = {}
        self._ids = map(str, itertools.count(1))
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, directory: Path, transport: listen.Transport) -> Link:
        """Connect to the runtime of a directory and exchange greetings.

        Raises:
            NoRuntime: none listens there, or it was about to leave.
            NotFilled: what listens there refused us, or is another user's.
        """
        token = ""
        try:
            if transport == "unix":
                streams = await asyncio.open_unix_connection(str(directory / SOCKET_NAME))
            else:
                port, token = (directory / ADDRESS_NAME).read_text().split()
                streams = await asyncio.open_connection("127.0.0.1", int(port))
        except (FileNotFoundError, ConnectionError) as error:
            raise NoRuntime from error
        link = cls(*streams)
        try:
            await link._greet(token)
        except BaseException:
            link._writer.close()
            raise
        link._reading = asyncio.create_task(link._read())
        return link

    @property
    def is_open(self) -> bool:
        """Whether requests can still be sent."""
        return self._reading is not None and not self._reading.done()

    async def infill(
        self, request: InfillRequest, on_step: OnStep | None, on_notice: OnNotice | None = None
    ) -> Finished:
        """Send a request and wait for its terminal message; being cancelled sends `Cancel`.

        Args:
            request: its id must be unlike those of other open requests.
            on_step: told of denoising steps as they come.
            on_notice: told what takes long.

        Raises:
            NotFilled: it was `Failed`, or the connection closed.
        """
        try:
            packed = encode(request)
        except FrameError as error:
            raise NotFilled("bad_request", f"The request can't be sent: {error}.") from error
        if not self.is_open:
            raise _died()
        answer: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self._requests[request.id] = _Open(answer, on_step, on_notice)
        self._writer.write(packed)
        try:
            return await answer
        except asyncio.CancelledError:
            self._send(Cancel(id=request.id))
            raise
        finally:
            del self._requests[request.id]

    async def status(self) -> Status:
        """Ask what runs.

        Raises:
            NotFilled: the connection closed.
        """
        if not self.is_open:
            raise _died()
        question = StatusRequest(id=next(self._ids))
        answer: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._questions[question.id] = answer
        self._send(question)
        try:
            return await answer
        finally:
            del self._questions[question.id]

    async def wait_closed(self) -> None:
        """Wait until the runtime has hung up."""
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def close(self) -> None:
        """Hang up; the runtime cancels what is open."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _greet(self, token: str) -> None:
        if not listen.is_users_own(self._writer):
            raise NotFilled("runtime_died", "What listens there belongs to another user.")
        hello = Hello(protocol_version=PROTOCOL_VERSION, client="remask serve", token=token)
        self._writer.write(encode(hello))
        answer: RuntimeMessage | None = None
        try:
            async with asyncio.timeout(WELCOME_S):
                while answer is None:
                    if not (data := await self._reader.read(READ_BYTES)):
                        raise NoRuntime
                    answer = next(self._decoder.feed(data), None)
        except ConnectionError as error:
            raise NoRuntime from error
        except (TimeoutError, FrameError) as error:
            raise NotFilled("runtime_died", "The runtime does not answer as it should.") from error
        if not isinstance(answer, Welcome):
            reason = answer.reason if isinstance(answer, Refused) else "it speaks another protocol"
            raise NotFilled("runtime_died", f"The runtime can't be used: {reason}.")

    def _send(self, message: Message) -> None:
        if self.is_open:
            self._writer.write(encode(message))

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(READ_BYTES):
                for message in self._decoder.feed(data):
                    self._receive(message)
        except (FrameError, ConnectionError) as error:
            log.warning("the connection to the runtime broke: %s", type(error).__name__)
        finally:
            self._writer.close()
            for request in self._requests.values():
                _fail(request.answer)
            for question in self._questions.values():
                _fail(question)

    def _receive(self, message: RuntimeMessage) -> None:
        match message:
            case StepReport():
                request = self._requests.get(message.id)
                if request is not None and request.on_step is not None:
                    request.on_step(message)
            case Finished() | Failed():
                request = self._requests.get(message.id)
                if request is None or request.answer.done():
                    return
                if isinstance(message, Finished):
                    request.answer.set_result(message)
                else:
                    request.answer.set_exception(NotFilled(message.code, message.text))
            case Status():
                question = self._questions.get(message.id)
                if question is not None and not question.done():
                    question.set_result(message)
            case Notice():
                request = self._requests.get(message.id)
                if request is not None and request.on_notice is not None:
                    request.on_notice(message)
            case _:
                pass


def _fail(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(_died())


def _died() -> NotFilled:
    return NotFilled("runtime_died", "The runtime went away; the next request starts a new one.")
