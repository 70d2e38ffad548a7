"""Where the runtime listens, and who may speak to it.

One runtime a directory: it holds a lock there for as long as it lives. The directory is its
user's alone. The socket in it proves the user; where there are no Unix sockets, a token does, in
a user-only file beside the port of the loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import stat
import struct
from typing import TYPE_CHECKING, Literal

from filelock import Timeout

from model_runtime.locking import acquire
from model_runtime.protocol import ADDRESS_NAME, PROTOCOL_VERSION, SOCKET_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    OnConnect = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

Transport = Literal["unix", "tcp"]


class AlreadyRunning(Exception):
    """Another runtime holds the directory."""


@contextlib.contextmanager
def hold(directory: Path, wait_s: float) -> Iterator[None]:
    """Be the directory's only runtime while the context lasts.

    Args:
        directory: made if missing.
        wait_s: how long to wait for another runtime that may be leaving.

    Raises:
        AlreadyRunning: it did not leave.
        PermissionError: the directory is not this user's alone.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):
        found = directory.lstat()
        if (
            not stat.S_ISDIR(found.st_mode)
            or found.st_uid != os.getuid()
            or stat.S_IMODE(found.st_mode) & 0o077
        ):
            raise PermissionError(f"{directory} must be a directory of this user alone, mode 0700")
    place = directory / f"runtime-{PROTOCOL_VERSION}.lock"
    try:
        lock = acquire(place, wait_s)
    except Timeout as error:
        raise AlreadyRunning(
            f"another runtime has held {directory} for {wait_s:.0f} s; end it, or delete {place}* "
            "if there is none"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def listen(
    directory: Path, transport: Transport, on_connect: OnConnect
) -> AsyncIterator[str]:
    """Accept connections while the context lasts; `hold` the directory first.

    Yields:
        The token that a client's `Hello` must carry; empty where the socket proves the user.
    """
    if transport == "unix":
        place = directory / SOCKET_NAME
        place.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        place.chmod(0o600)
        server = await asyncio.start_unix_server(on_connect, sock=listener)
        token = ""
    else:
        place = directory / ADDRESS_NAME
        token = secrets.token_hex(32)
        server = await asyncio.start_server(on_connect, host="127.0.0.1", port=0)
        port = server.sockets[0].getsockname()[1]
        _write_private(place, f"{port} {token}")
    try:
        yield token
    finally:
        # First the name, then the socket: nobody finds one that no longer listens.
        place.unlink(missing_ok=True)
        server.close()


def is_users_own(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer of a Unix socket is this very user; True where the system can't say."""
    peer = writer.get_extra_info("socket")
    if peer is None or peer.family != getattr(socket, "AF_UNIX", None):
        return True
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return bool(uid == os.getuid())


def is_token(given: str, expected: str) -> bool:
    """Whether a client's token is the one asked for, compared in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _write_private(path: Path, text: str) -> None:
    """Write a file, whole or not at all, that only this user can read."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
