"""The plain end of a connection: for tests that say what no client of ours would."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from model_runtime.framing import encode, runtime_message_decoder
from model_runtime.protocol import (
    PROTOCOL_VERSION,
    SOCKET_NAME,
    Change,
    Failed,
    Finished,
    Group,
    Hello,
    InfillRequest,
    MaskSpan,
    NextEditRequest,
    NextEdits,
    Place,
    Welcome,
)

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.protocol import Message, RuntimeMessage


def infill_request(request_id: str = "a", prefix: str = "", **values: Any) -> InfillRequest:
    """Return a request with one empty span, or what `values` say."""
    defaults: dict[str, Any] = {"suffix": "", "spans": (MaskSpan(),)}
    return InfillRequest(id=request_id, prefix=prefix, **(defaults | values))


def next_edit_request(request_id: str = "a", document: str = "") -> NextEditRequest:
    """Return a request that asks what follows from a change."""
    return NextEditRequest(
        id=request_id,
        document=document,
        text="b = 1\na\n",
        changes=(Change(start=0, old="a", new="b"),),
        groups=(Group(places=(Place(start=6, end=7, text="b"),)),),
    )


@dataclass
class Wire:
    """One connection; messages are read one at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _decoder: Any = field(default_factory=runtime_message_decoder)
    _read: list[RuntimeMessage] = field(default_factory=list)

    @classmethod
    async def connect(cls, directory: Path) -> Self:
        """Connect without a greeting."""
        return cls(*await asyncio.open_unix_connection(str(directory / SOCKET_NAME)))

    @classmethod
    async def greet(cls, directory: Path) -> Self:
        """Connect and be welcomed."""
        wire = await cls.connect(directory)
        wire.send(Hello(protocol_version=PROTOCOL_VERSION, client="test"))
        assert isinstance(await wire.receive(), Welcome)
        return wire

    def send(self, *messages: Message) -> None:
        """Send messages in one go."""
        self.writer.write(b"".join(map(encode, messages)))

    async def receive(self) -> RuntimeMessage | None:
        """Return the next message; None once the runtime has hung up."""
        while not self._read:
            data = await self.reader.read(65536)
            if not data:
                return None
            self._read.extend(self._decoder.feed(data))
        return self._read.pop(0)

    async def terminal(self, request_id: str = "a") -> Finished | NextEdits | Failed:
        """Skip to a request's terminal message."""
        while True:
            message = await self.receive()
            assert message is not None, "the runtime hung up"
            if isinstance(message, Finished | NextEdits | Failed) and message.id == request_id:
                return message

    async def is_closed(self) -> bool:
        """Wait until the runtime hangs up, skipping what it still says."""
        while await self.receive() is not None:
            pass
        return True

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
