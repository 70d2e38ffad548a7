"""One open connection to the runtime: ids to futures.

Every request sent over it ends: with the runtime's terminal message, or, when the connection
closes first, with "runtime_died" for all that are open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsp_server.errors import InfillFailed, RuntimeUnavailable
from model_runtime.framing import FrameError, encode, runtime_message_decoder
from model_runtime.protocol import (
    PROTOCOL_VERSION,
    Cancel,
    Failed,
    Finished,
    Hello,
    NextEdits,
    Notice,
    Refused,
    Shutdown,
    Status,
    StatusRequest,
    StepReport,
    Stopping,
    Welcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.runtime.address import Stream
    from model_runtime.framing import FrameDecoder
    from model_runtime.protocol import (
        InfillRequest,
        Message,
        NextEditRequest,
        RuntimeMessage,
    )

    OnReport = Callable[[StepReport | Notice], None]

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
#: Seconds the runtime has to answer `Hello`.
WELCOME_S = 30.0


class HungUp(Exception):
    """The runtime closed the connection instead of a welcome: it was about to leave."""


@dataclass
class _Open:
    """A request without its terminal message."""

    answer: asyncio.Future[Any]
    on_report: OnReport | None


class Link:
    """A connection after its greeting. Make one with `Link.open`."""

    def __init__(
        self,
        stream: Stream,
        decoder: FrameDecoder[RuntimeMessage],
        welcome: Welcome,
        on_closed: Callable[[Link], None],
    ) -> None:
        #: The runtime's process.
        self.pid = welcome.pid
        #: Whether the runtime said that it leaves.
        self.was_told = False
        #: How the requests end that are open when it closes.
        self.farewell = InfillFailed(
            "runtime_died", "The runtime died; the next request starts a new one."
        )
        self._stream = stream
        self._decoder = decoder
        self._on_closed = on_closed
        self._requests: dict[str, _Open] = {}
        self._questions: dict[str, asyncio.Future[Status | Stopping | None]] = {}
        self._n_questions = 0
        self._is_closed = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, stream: Stream, client: str, on_closed: Callable[[Link], None]) -> Link:
        """Exchange greetings.

        Args:
            stream: a fresh connection; closed if this fails.
            client: who we are, for the runtime's log.
            on_closed: called once, when the link is of no more use.

        Raises:
            HungUp: the runtime closed the connection first.
            RuntimeUnavailable: it refused us, or did not answer.
        """
        decoder = runtime_message_decoder()
        hello = Hello(protocol_version=PROTOCOL_VERSION, client=client, token=stream.token)
        try:
            stream.writer.write(encode(hello))
            async with asyncio.timeout(WELCOME_S):
                answer = await _first_message(stream, decoder)
            if isinstance(answer, Welcome):
                return cls(stream, decoder, answer, on_closed)
            reason = answer.reason if isinstance(answer, Refused) else "it speaks another protocol"
        except (TimeoutError, FrameError) as error:
            reason = f"it does not answer as it should ({type(error).__name__})"
        except BaseException:
            stream.writer.close()
            raise
        stream.writer.close()
        raise RuntimeUnavailable(f"The runtime can't be used: {reason}.")

    @property
    def n_open(self) -> int:
        """How many requests wait for their terminal message."""
        return len(self._requests)

    async def infill(self, request: InfillRequest, on_report: OnReport | None) -> Finished:
        """Have spans filled; see `_request`."""
        finished: Finished = await self._request(request, on_report)
        return finished

    async def next_edits(self, request: NextEditRequest) -> NextEdits:
        """Have the next edits found; see `_request`."""
        found: NextEdits = await self._request(request, None)
        return found

    async def _request(
        self, request: InfillRequest | NextEditRequest, on_report: OnReport | None
    ) -> Any:
        """Send a request and wait for its terminal message; being cancelled sends `Cancel`.

        Raises:
            InfillFailed: it was `Failed`, or the connection closed.
        """
        if request.id in self._requests:
            raise InfillFailed("bad_request", f"the request id {request.id!r} is in use")
        try:
            packed = encode(request)
        except FrameError as error:
            raise InfillFailed("bad_request", f"The request can't be sent: {error}.") from error
        if self._is_closed:
            raise self.farewell
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[request.id] = _Open(answer, on_report)
        self._stream.writer.write(packed)
        try:
            return await answer
        except asyncio.CancelledError:
            self._send(Cancel(id=request.id))
            raise
        finally:
            self._requests.pop(request.id, None)

    async def status(self) -> Status | None:
        """Ask what runs; None if the runtime left instead of answering."""
        answer = await self._ask(StatusRequest(id=self._next_id()))
        return answer if isinstance(answer, Status) else None

    async def shut_down(self) -> None:
        """Ask the runtime to leave and wait until it has hung up."""
        await self._ask(Shutdown(id=self._next_id()))
        await asyncio.wait({self._listening})

    async def wait_closed(self) -> None:
        """Wait until the runtime has hung up."""
        await asyncio.wait({self._listening})

    async def close(self) -> None:
        """Hang up. The runtime cancels what was open."""
        self.farewell = InfillFailed("cancelled", "The connection to the runtime was closed.")
        self._listening.cancel()
        await asyncio.wait({self._listening})
        with contextlib.suppress(ConnectionError):
            await self._stream.writer.wait_closed()

    def _next_id(self) -> str:
        self._n_questions += 1
        return str(self._n_questions)

    async def _ask(self, question: StatusRequest | Shutdown) -> Status | Stopping | None:
        if self._is_closed:
            return None
        answer: asyncio.Future[Status | Stopping | None]
        answer = asyncio.get_running_loop().create_future()
        self._questions[question.id] = answer
        self._send(question)
        try:
            return await answer
        finally:
            self._questions.pop(question.id, None)

    def _send(self, message: Message) -> None:
        if not self._is_closed:
            self._stream.writer.write(encode(message))

    async def _listen(self) -> None:
        try:
            while data := await self._stream.reader.read(READ_BYTES):
                for message in self._decoder.feed(data):
                    self._receive(message)
        except (FrameError, ConnectionError) as error:
            log.warning("the connection to the runtime broke: %s", error)
        finally:
            self._shut()

    def _receive(self, message: RuntimeMessage) -> None:
        match message:
            case StepReport() | Notice():
                request = self._requests.get(message.id)
                if request is not None and request.on_report is not None:
                    _tell(request.on_report, message)
            case Finished() | NextEdits() | Failed():
                self._resolve(message)
            case Status():
                self._answer(message)
            case Stopping():
                self.was_told = True
                self.farewell = InfillFailed("shutting_down", "The runtime left; try again.")
                self._answer(message)
            case Welcome() | Refused():
                raise FrameError("a second greeting")

    def _resolve(self, terminal: Finished | NextEdits | Failed) -> None:
        """End a request; one that is gone, or has ended already, is left alone."""
        request = self._requests.get(terminal.id)
        if request is None or request.answer.done():
            return
        if isinstance(terminal, Failed):
            request.answer.set_exception(InfillFailed(terminal.code, terminal.text))
        else:
            request.answer.set_result(terminal)

    def _answer(self, answer: Status | Stopping) -> None:
        question = self._questions.get(answer.id)
        if question is not None and not question.done():
            question.set_result(answer)

    def _shut(self) -> None:
        self._is_closed = True
        self._stream.writer.close()
        self._on_closed(self)
        for request in self._requests.values():
            if not request.answer.done():
                # One each: an exception that is raised in many places gathers their tracebacks.
                failed = InfillFailed(self.farewell.code, str(self.farewell))
                request.answer.set_exception(failed)
        for question in self._questions.values():
            if not question.done():
                question.set_result(None)


async def _first_message(stream: Stream, decoder: FrameDecoder[RuntimeMessage]) -> RuntimeMessage:
    with contextlib.suppress(ConnectionError):
        while data := await stream.reader.read(READ_BYTES):
            for message in decoder.feed(data):
                return message
    raise HungUp


def _tell(on_report: OnReport, report: StepReport | Notice) -> None:
    try:
        on_report(report)
    except Exception:
        # A listener's fault must not cost the other requests their connection.
        log.exception("a listener failed")
