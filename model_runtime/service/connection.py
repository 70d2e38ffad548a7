"""One client's connection, from the runtime's end: messages in, messages out, in order.

A client may be slow, or stop reading. Then its step reports are conflated, so that at most one a
request waits to be sent, and its next message is not read before it has taken enough of ours. So
what is kept for it is bounded, and neither the worker nor another client waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from typing import TYPE_CHECKING

from model_runtime.framing import FrameError, client_message_decoder, encode
from model_runtime.protocol import Failed, Finished, NextEdits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from model_runtime.protocol import ClientMessage, RuntimeMessage

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
#: With this many messages unsent, no more are read.
MAX_UNSENT = 128
#: Seconds a client has to take what is left for it when the connection closes.
FLUSH_S = 2.0


class Connection:
    """A stream of typed messages. Event loop only.

    Args:
        reader: what the client says.
        writer: what it is told.
    """

    _numbers = itertools.count(1)

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        #: For the log.
        self.name = f"client {next(self._numbers)}"
        self.writer = writer
        self._reader = reader
        self._unsent: dict[Hashable, RuntimeMessage] = {}
        self._posted = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._gone = False
        writer.transport.set_write_buffer_limits(high=READ_BYTES)
        self._sending = asyncio.create_task(self._keep_sending())

    async def messages(self) -> AsyncIterator[ClientMessage]:
        """Yield what the client says until it leaves.

        Raises:
            FrameError: it said something that is no message, or left in the middle of one.
            ConnectionError: it vanished.
        """
        decoder = client_message_decoder()
        while data := await self._reader.read(READ_BYTES):
            for message in decoder.feed(data):
                yield message
                await self._has_room.wait()
        decoder.close()

    def send(self, message: RuntimeMessage, *, conflate: Hashable = None) -> None:
        """Send a message when its turn comes; returns at once. Dropped if the client is gone.

        Args:
            message: what to send.
            conflate: if given, an unsent message of the same key is replaced by this one.
        """
        if self._gone:
            return
        self._unsent[object() if conflate is None else conflate] = message
        self._posted.set()
        if len(self._unsent) >= MAX_UNSENT:
            self._has_room.clear()

    async def close(self) -> None:
        """Send what is left, if the client takes it soon enough, and close."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(FLUSH_S):
                self._gone = True
                self._posted.set()
                await self._sending
                self.writer.close()
                await self.writer.wait_closed()
        self._sending.cancel()
        self.writer.transport.abort()

    async def _keep_sending(self) -> None:
        """Send what is posted, as fast as the client takes it, until `close` or it is gone."""
        try:
            while self._unsent or not self._gone:
                if not self._unsent:
                    self._posted.clear()
                    await self._posted.wait()
                    continue
                message = self._unsent.pop(next(iter(self._unsent)))
                if len(self._unsent) < MAX_UNSENT:
                    self._has_room.set()
                self.writer.write(_encode(message))
                await self.writer.drain()
        except ConnectionError:
            log.info("%s is gone", self.name)
        finally:
            self._gone = True
            self._unsent.clear()
            self._has_room.set()


def _encode(message: RuntimeMessage) -> bytes:
    """Pack a message; a terminal one that can't be packed becomes one that can."""
    try:
        return encode(message)
    except FrameError as error:
        if not isinstance(message, Finished | NextEdits):
            log.exception("dropped a %s", type(message).__name__)
            return b""
        text = f"The result can't be sent: {error}."
        return encode(Failed(id=message.id, code="internal", text=text))
