"""A fill's reply, whole or streamed, in any dialect.

Whoever waits here is watched: when the client hangs up, the request is cancelled, and the model is
free within one denoising step.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import secrets
import time
from contextlib import aclosing
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response, StreamingResponse

from model_runtime.http.dialect import Turn
from model_runtime.http.faults import BadBody, HttpFault
from model_runtime.http.fill import Choice, Filled, Piece, follow
from model_runtime.http.limits import client_address
from model_runtime.http.scrolled import Scrolled
from model_runtime.protocol import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from model_runtime.http.dialect import Dialect
    from model_runtime.http.fill import Ask, Backend
    from model_runtime.http.limits import Gate, ServeSettings
    from model_runtime.http.metrics import Metrics
    from model_runtime.protocol import Status


class Gone(Exception):
    """The client has hung up."""


#: Seconds for which the names of models are not asked for anew.
NAMES_S = 1.0
#: The reply to a client that only announces context.
WARM = Filled((Choice("", "limit"),), Usage(), "")


class EventStream(StreamingResponse):
    """A stream of events that is closed with its reply, even if that never began.

    Args:
        body: the bytes.
        source: what they are made of.
    """

    media_type = "text/event-stream"

    def __init__(self, body: AsyncGenerator[bytes], source: AsyncGenerator[Piece | Filled]) -> None:
        super().__init__(body, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._source.aclose()


class Answerer:
    """Answers fill requests.

    Args:
        backend: what fills.
        settings: limits and names.
        gate: counts fills.
        metrics: what is noted of each.
    """

    def __init__(
        self, backend: Backend, settings: ServeSettings, gate: Gate, metrics: Metrics
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._gate = gate
        self._metrics = metrics
        self._scrolled = Scrolled()
        self._names: tuple[str, ...] = ()
        self._names_until = 0.0

    def endpoint(self, dialect: Dialect) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a dialect's endpoint."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, dialect)

        return answer

    def model_names(self, status: Status) -> tuple[str, ...]:
        """Return the names that stand for the model served, its own first."""
        return tuple(dict.fromkeys((served_name(status), "remask", *self._settings.aliases)))

    async def _answer(self, request: Request, dialect: Dialect) -> Response:
        arrived = time.monotonic()
        try:
            ask = dialect.read(await self._read(request, dialect))
            turn = await self._turn(ask, dialect)
        except HttpFault as fault:
            self._note(dialect, fault.code, arrived)
            raise
        if ask.is_warm_up:
            return json_reply(dialect.whole(ask, WARM, turn))
        deadline_s = min(ask.request.deadline_s or math.inf, self._settings.deadline_s)
        prefix = self._scrolled.whole(client_address(request), ask.request.prefix)
        limited = msgspec.structs.replace(ask.request, deadline_s=deadline_s, prefix=prefix)
        ask = dataclasses.replace(ask, request=limited)
        events = self._counted(follow(self._backend, ask), dialect, arrived)
        # The first event decides on the status, so it is waited for.
        first = await until_gone(request, anext(events))
        if isinstance(first, Filled) and not ask.stream:
            await events.aclose()
            return json_reply(dialect.whole(ask, first, turn))
        return EventStream(_stream(first, events, ask, dialect, turn), events)

    async def _read(self, request: Request, dialect: Dialect) -> Any:
        body = await read_body(request, self._settings)
        try:
            return msgspec.json.decode(body, type=dialect.body_type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # A validation error quotes names and types, never values.
            raise BadBody(f"The body can't be read: {error}.", _place(str(error))) from error

    async def _turn(self, ask: Ask, dialect: Dialect) -> Turn:
        names = await self._recent_names()
        if dialect.checks_model and ask.model not in {"", *names}:
            allowed = ", ".join(names)
            raise HttpFault(
                404,
                "unknown_model",
                f"There is no model of that name; served here: {allowed}.",
                "model",
            )
        return Turn(id=secrets.token_hex(12), created=int(time.time()), model=names[0])

    async def _recent_names(self) -> tuple[str, ...]:
        """Return the model's names, as they were a moment ago at the longest."""
        now = time.monotonic()
        if now > self._names_until:
            self._names = self.model_names(await self._backend.status())
            self._names_until = now + NAMES_S
        return self._names

    async def _counted(
        self, events: AsyncGenerator[Piece | Filled], dialect: Dialect, arrived: float
    ) -> AsyncGenerator[Piece | Filled]:
        """Pass events on; count the fill in and out, and note how it ended, however it does.

        Raises:
            HttpFault: it may not come in, or is not filled.
        """
        outcome = "cancelled"
        is_in = False
        has_text = False
        try:
            self._gate.enter()
            is_in = True
            async with aclosing(events):
                async for event in events:
                    if not has_text:
                        has_text = True
                        waited = time.monotonic() - arrived
                        self._metrics.first_text_seconds.labels(dialect.name).observe(waited)
                    if isinstance(event, Filled):
                        outcome = "filled"
                        self._metrics.spent(event.usage)
                    yield event
        except HttpFault as fault:
            outcome = fault.code
            raise
        finally:
            if is_in:
                self._gate.leave()
            self._note(dialect, outcome, arrived)

    def _note(self, dialect: Dialect, outcome: str, arrived: float) -> None:
        self._metrics.requests.labels(dialect.name, outcome).inc()
        self._metrics.seconds.labels(dialect.name).observe(time.monotonic() - arrived)


async def _stream(
    first: Piece | Filled,
    events: AsyncGenerator[Piece | Filled],
    ask: Ask,
    dialect: Dialect,
    turn: Turn,
) -> AsyncGenerator[bytes]:
    async with aclosing(events):
        event: Piece | Filled | None = first
        while event is not None:
            if isinstance(event, Filled):
                for last in dialect.last(ask, event, turn):
                    yield _event(last)
                yield dialect.farewell
                return
            yield _event(dialect.piece(ask, event, turn))
            try:
                event = await anext(events, None)
            except HttpFault as fault:
                # The status is out; an event is all that is left to tell it with.
                yield _event(dialect.error(fault))
                return


def _event(body: Any) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def served_name(status: Status) -> str:
    """Return what the runtime's model is called: of a path, which is nobody's business, the end."""
    return PurePath(status.model).name


def json_reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    encoded = msgspec.json.encode(body)
    return Response(encoded, status, headers=headers, media_type="application/json")


async def until_gone(request: Request, work: Awaitable[Piece | Filled]) -> Piece | Filled:
    """Wait for work as long as the client does.

    Raises:
        Gone: the client hung up; the work was cancelled.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Gone
    finally:
        for task in (working, leaving):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({working, leaving})


async def read_body(request: Request, settings: ServeSettings) -> bytes:
    """Return a request's body.

    Raises:
        HttpFault: it is too large, or takes too long to come.
        Gone: the client hung up in the middle of it.
    """
    too_large = HttpFault(
        413, "too_large", f"A body may have {settings.max_body_bytes:,} bytes at the most."
    )
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > settings.max_body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(settings.patience_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > settings.max_body_bytes:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise HttpFault(408, "too_slow", "The body took too long to come.") from error


def _place(text: str) -> str | None:
    """Return the field that a validation error is about."""
    _, found, path = text.rpartition("at `$.")
    return path.rstrip("`") if found else None
