"""What the language server, its index and the reader say to each other, over standard streams.

The index answers the server at once; the reader, a process of lower priority, goes through the
workspace for it, with the help of a second one (`names`) while there is much to read. A message is
its length in four bytes, the lowest first, and so many bytes of MessagePack.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from collections.abc import Callable

_N_LENGTH = 4
_N_READ = 1 << 16


class _Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """One message."""


class Folders(_Message, frozen=True):
    """The workspace folders that there are now, and what of the settings counts here."""

    roots: tuple[str, ...]
    secret_files: tuple[str, ...]
    disabled_languages: tuple[str, ...]


class Changed(_Message, frozen=True):
    """Files or folders that came, changed or went, as whole paths."""

    paths: tuple[str, ...]


class Opened(_Message, frozen=True):
    """An open document as it is now; its text counts instead of what is on the disk."""

    path: str
    text: str


class Closed(_Message, frozen=True):
    """A document is closed."""

    path: str


class Ask(_Message, frozen=True):
    """Asks what of other files to show at a place of an open document."""

    id: int
    path: str
    language: str
    text: str
    #: In characters of the text.
    at: int
    n_bytes: int


class AskState(_Message, frozen=True):
    """Asks how far the index is; answered once it is done where that is to be waited for."""

    id: int
    when_done: bool = False


class Chosen(_Message, frozen=True):
    """Answers `Ask`."""

    id: int
    files: tuple[ContextFile, ...]


class State(_Message, frozen=True):
    """Answers `AskState`."""

    id: int
    n_files: int
    #: Files that are not read yet.
    n_unread: int
    #: Seconds of the processor, and the most memory, that index and reader have taken.
    processor_s: float
    peak_memory_bytes: int


class Refresh(_Message, frozen=True):
    """Somebody works in the workspace: it may be looked through again."""


class Seen(_Message, frozen=True):
    """Files of a workspace folder that are there, each with its time, size and names.

    The names are those that the file itself defines; None until it is read.
    """

    root: str
    files: tuple[tuple[str, int, int, tuple[str, ...] | None], ...]


class Gone(_Message, frozen=True):
    """Files of a workspace folder that are there no longer."""

    root: str
    paths: tuple[str, ...]


class Read(_Message, frozen=True):
    """Asks a second process for the names of files, by whole paths."""

    paths: tuple[str, ...]


class Names(_Message, frozen=True):
    """Answers `Read`: the names that each file defines."""

    names: tuple[tuple[str, ...], ...]
    #: Seconds of the processor, and the most memory, that it has taken so far.
    processor_s: float
    peak_memory_bytes: int


ToIndex = Folders | Changed | Opened | Closed | Ask | AskState
FromIndex = Chosen | State
ToReader = Folders | Changed | Refresh | AskState
FromReader = Seen | Gone | State

_encode = msgspec.msgpack.Encoder().encode


def packed(message: Any) -> bytes:
    """Return a message as it is sent."""
    body = _encode(message)
    return len(body).to_bytes(_N_LENGTH, "little") + body


class Unpacker:
    """Collects bytes as they come.

    Args:
        kind: the union of messages that may come.
    """

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages that some bytes complete.

        Raises:
            msgspec.DecodeError: they are none.
        """
        self._bytes += data
        found = []
        while len(self._bytes) >= _N_LENGTH:
            end = _N_LENGTH + int.from_bytes(self._bytes[:_N_LENGTH], "little")
            if len(self._bytes) < end:
                break
            found.append(self._decoder.decode(bytes(self._bytes[_N_LENGTH:end])))
            del self._bytes[:end]
        return found


def listen(source: Any, kind: Any, put: Callable[[Any], None]) -> None:
    """Pass on what comes from another process, and None once its end of the pipe is closed.

    Args:
        source: raw bytes; `read` returns what there is.
        kind: see `Unpacker`.
        put: takes each message.
    """
    unpacker = Unpacker(kind)
    with suppress(OSError, ValueError, msgspec.DecodeError):
        while data := source.read(_N_READ):
            for message in unpacker.feed(data):
                put(message)
    put(None)


def send(out: Any, message: Any) -> None:
    """Write a message to a pipe.

    Raises:
        OSError: the other end is gone.
    """
    out.write(packed(message))
    out.flush()


def peak_memory() -> int:
    """Return the most bytes that this process has had; 0 where the system does not tell."""
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
