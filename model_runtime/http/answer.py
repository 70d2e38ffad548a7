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
from starlette.responses import Response

from model_runtime.http.body import Gone, read_body
from model_runtime.http.dialect import Turn
from model_runtime.http.faults import HttpFault, StillLoading
from model_runtime.http.fill import Filled, follow
from model_runtime.http.limits import client_address
from model_runtime.http.scrolled import Scrolled
from model_runtime.http.stream import Stream, with_stretches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.requests import Request

    from model_runtime.http.dialect import Dialect
    from model_runtime.http.fill import Ask, Backend, Piece
    from model_runtime.http.limits import Gate, ServeSettings
    from model_runtime.http.loading import Loading
    from model_runtime.http.metrics import Metrics
    from model_runtime.protocol import Status

#: Seconds for which the names of models are not asked for anew.
NAMES_S = 1.0


class Answerer:
    """Answers fill requests.

    Args:
        backend: what fills.
        settings: limits and names.
        gate: counts fills.
        metrics: what is noted of each.
        loading: whether there is a model to fill with.
    """

    def __init__(
        self,
        backend: Backend,
        settings: ServeSettings,
        gate: Gate,
        metrics: Metrics,
        loading: Loading,
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._gate = gate
        self._metrics = metrics
        self._loading = loading
        self._scrolled = Scrolled()
        self._names: tuple[str, ...] = ()
        self._names_until = 0.0

    def endpoint(self, dialect: Dialect) -> Callable[[Request], Awaitable[Response]]:
        """Return the handler of a dialect's endpoint."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, dialect)

        return answer

    async def model_names(self) -> tuple[str, ...]:
        """Return the names that stand for the model served, its own first.

        They are as they were a moment ago at the longest.
        """
        now = time.monotonic()
        if now > self._names_until:
            status = await self._backend.status()
            names = (served_name(status), "remask", *self._settings.aliases)
            self._names = tuple(dict.fromkeys(names))
            # Until the engine is there, the name is a guess from the settings.
            self._names_until = now + NAMES_S if status.loaded else 0
        return self._names

    async def _answer(self, request: Request, dialect: Dialect) -> Response:
        arrived = time.monotonic()
        try:
            body = await read_body(request, self._settings, dialect.body_type)
            ask = self._limited(dialect.read(body), client_address(request))
            self._loading.check_fill()
            turn = Turn(
                id=secrets.token_hex(12),
                created=int(time.time()),
                model=(await self.model_names())[0],
            )
        except HttpFault as fault:
            self._note(dialect, fault.code, arrived)
            raise
        events = self._counted(follow(self._backend, ask), dialect, arrived)
        first = asyncio.ensure_future(anext(events))
        try:
            # A refusal that comes at once has its own status, in a stream too.
            patience_s = self._settings.headers_after_s if ask.stream else None
            await until_gone(request, first, patience_s)
            if not ask.stream:
                filled = first.result()
                assert isinstance(filled, Filled)  # noqa: S101  # pieces are for streams
                await events.aclose()
                return json_reply(with_stretches(dialect.whole(ask, filled, turn), ask, filled))
            if first.done():
                first.result()  # raises what it came to, if that is no event
        except BaseException:
            await _given_up(first, events)
            raise
        return Stream(first, events, ask, dialect, turn, self._settings.heartbeat_s)

    def _limited(self, ask: Ask, client: str) -> Ask:
        """Return a request with the server's own limits."""
        requests = []
        for request in ask.requests:
            sureness = request.least_confidence
            if not ask.chooses_confidence:
                # 0 would have every engine work out what nobody is told.
                sureness = self._settings.least_confidence or None
            limited = msgspec.structs.replace(
                request,
                deadline_s=min(request.deadline_s or math.inf, self._settings.deadline_s),
                prefix=self._scrolled.whole(client, request.prefix),
                least_confidence=sureness,
            )
            requests.append(limited)
        return dataclasses.replace(ask, requests=tuple(requests))

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
            if isinstance(fault, StillLoading):
                # The request that brought the news is gone; its work goes on.
                self._loading.begin()
            raise
        finally:
            if is_in:
                self._gate.leave()
            self._note(dialect, outcome, arrived)

    def _note(self, dialect: Dialect, outcome: str, arrived: float) -> None:
        self._metrics.requests.labels(dialect.name, outcome).inc()
        self._metrics.seconds.labels(dialect.name).observe(time.monotonic() - arrived)


async def _given_up(first: asyncio.Future[Piece | Filled], events: AsyncGenerator[Any]) -> None:
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({first})
    if first.done() and not first.cancelled():
        first.exception()
    await events.aclose()


def served_name(status: Status) -> str:
    """Return what the runtime's model is called: of a path, which is nobody's business, the end."""
    return PurePath(status.model).name


def json_reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    encoded = msgspec.json.encode(body)
    return Response(encoded, status, headers=headers, media_type="application/json")


async def until_gone(
    request: Request, working: asyncio.Future[Any], patience_s: float | None = None
) -> None:
    """Wait for work as long as the client does, or for some seconds.

    Raises:
        Gone: the client hung up.
    """
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait(
            {working, leaving}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
        )
        if leaving.done() and not working.done():
            raise Gone
    finally:
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({leaving})
