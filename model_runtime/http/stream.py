"""A streamed reply: its head at once, pieces as they settle, and a sign of life in between."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import StreamingResponse

from model_runtime.http.faults import fault_of
from model_runtime.http.fill import Filled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

    from model_runtime.http.dialect import Dialect, Turn
    from model_runtime.http.fill import Ask, Piece


class Stream(StreamingResponse):
    """A stream of events that is closed with its reply, even if that never began.

    Args:
        first: the first event, which may be still to come.
        events: the others.
        ask: what was asked for.
        dialect: in what words.
        turn: what a reply says of the turn.
        heartbeat_s: seconds after which a stream that has nothing to say says so.
    """

    def __init__(
        self,
        first: asyncio.Future[Piece | Filled],
        events: AsyncGenerator[Piece | Filled],
        ask: Ask,
        dialect: Dialect,
        turn: Turn,
        heartbeat_s: float,
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._bytes(), headers=headers, media_type=dialect.media_type)
        self._next: asyncio.Future[Piece | Filled] = first
        self._events = events
        self._ask = ask
        self._dialect = dialect
        self._turn = turn
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._next.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()  # nobody else may ask, and asyncio would complain
            await self._events.aclose()

    async def _bytes(self) -> AsyncGenerator[bytes]:
        try:
            async with aclosing(self._parts()) as parts:
                async for part in parts:
                    yield part
        except Exception as error:  # noqa: BLE001  # the request's boundary
            # The status is out; an event is all that is left to tell it with.
            yield self._dialect.event(self._dialect.error(fault_of(error)))

    async def _parts(self) -> AsyncGenerator[bytes]:
        ask, dialect, turn = self._ask, self._dialect, self._turn
        while True:
            while not self._next.done():
                await asyncio.wait({self._next}, timeout=self._heartbeat_s)
                if not self._next.done():
                    yield dialect.heartbeat(turn)
            event = self._next.result()
            if isinstance(event, Filled):
                for last in with_stretches(dialect.last(ask, event, turn), ask, event):
                    yield dialect.event(last)
                if dialect.farewell:
                    yield dialect.farewell
                return
            yield dialect.event(dialect.piece(ask, event, turn))
            self._next = asyncio.ensure_future(anext(self._events))


def with_stretches(reply: Any, ask: Ask, filled: Filled) -> Any:
    """Return a reply, or the events that end one, that tells how sure it is, where that is asked.

    The field `remask` then has, for each choice, its stretches: so many characters, and how likely
    the text is to be right up to their end; none where the engine can't tell.
    """
    if not ask.tells_confidence:
        return reply
    told = {"confidence": [msgspec.to_builtins(choice.confidence) for choice in filled.choices]}
    if isinstance(reply, list):
        return [*reply[:-1], reply[-1] | {"remask": told}]
    return reply | {"remask": told}
