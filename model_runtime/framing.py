"""Messages to bytes and back.

MessagePack values delimit themselves, so a frame is one packed value and nothing else. The bytes
come from another process: whatever they are, `FrameDecoder` yields typed messages or raises
`FrameError`; it neither hangs nor grows past its limit. Imports the standard library, msgpack and
msgspec only, like `protocol`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgpack
import msgspec

from model_runtime.protocol import MAX_MESSAGE_BYTES, ClientMessage, Message, RuntimeMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

M = TypeVar("M")


class FrameError(Exception):
    """The peer sent something that is no message. The connection is of no more use."""


def encode(message: Message) -> bytes:
    """Pack one message.

    Raises:
        FrameError: it is larger than `MAX_MESSAGE_BYTES`, or holds what can't be packed, such as
            half a surrogate pair; nothing has been sent.
    """
    try:
        packed: bytes = msgpack.packb(msgspec.to_builtins(message))
    except (TypeError, ValueError, OverflowError) as error:
        raise FrameError(f"can't be packed ({type(error).__name__})") from error
    if len(packed) > MAX_MESSAGE_BYTES:
        raise FrameError(f"a message of {len(packed):,} bytes is over {MAX_MESSAGE_BYTES:,}")
    return packed


class FrameDecoder(Generic[M]):
    """Collects bytes as they arrive, in pieces of any size, and yields whole messages.

    Args:
        message_type: the union of messages that may come on this side.
    """

    def __init__(self, message_type: Any) -> None:
        self._message_type = message_type
        # The unpacker lets go of bytes as it reads them, so its own limit is one on its buffer
        # and not on a message; `_n_fed` and `_n_read` count what belongs to the unfinished one.
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=2 * MAX_MESSAGE_BYTES, max_str_len=MAX_MESSAGE_BYTES, raw=False
        )
        self._n_fed = 0
        self._n_read = 0

    def feed(self, data: bytes) -> Iterator[M]:
        """Take bytes, at most `MAX_MESSAGE_BYTES` at once, and yield the messages they complete.

        Raises:
            FrameError: garbage, an unknown or malformed message, or a frame over the limit. Its
                text never quotes the bytes, which may be a user's.
        """
        try:
            self._unpacker.feed(data)
            self._n_fed += len(data)
            for value in self._unpacker:
                self._n_read = self._unpacker.tell()
                yield msgspec.convert(value, self._message_type)
        except msgpack.BufferFull as error:
            raise FrameError(f"a frame is over {MAX_MESSAGE_BYTES:,} bytes") from error
        except (msgspec.ValidationError, msgpack.UnpackException, ValueError) as error:
            raise FrameError(f"not a message ({type(error).__name__})") from error
        if self._n_fed - self._n_read > MAX_MESSAGE_BYTES:
            raise FrameError(f"a frame is over {MAX_MESSAGE_BYTES:,} bytes")

    def close(self) -> None:
        """The peer has left.

        Raises:
            FrameError: in the middle of a message.
        """
        if self._n_fed > self._n_read:
            raise FrameError(f"cut off after {self._n_fed - self._n_read:,} bytes of a frame")


def client_message_decoder() -> FrameDecoder[ClientMessage]:
    """Return the decoder for the runtime's end."""
    return FrameDecoder(ClientMessage)


def runtime_message_decoder() -> FrameDecoder[RuntimeMessage]:
    """Return the decoder for a client's end."""
    return FrameDecoder(RuntimeMessage)
