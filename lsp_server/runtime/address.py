"""Where the user's runtime listens, and how to reach it safely.

The client decides on the directory and hands it to the runtime it starts, so the rule stands here
alone. The directory holds the socket, the locks, and what the last start said.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
import struct
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from lsp_server.errors import RuntimeUnavailable
from lsp_server.paths import home_of
from model_runtime.protocol import ADDRESS_NAME, SOCKET_NAME

Transport = Literal["unix", "tcp"]

DIRECTORY_VARIABLE = "REMASK_RUNTIME_DIR"
#: The least of what systems allow for a socket's path, in bytes (macOS; Linux has 107).
MAX_SOCKET_PATH = 103


@dataclass(frozen=True)
class Stream:
    """An open connection, before any greeting."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    #: For `Hello`; empty where the socket proves the user.
    token: str


def default_transport() -> Transport:
    """Return "unix" wherever asyncio has Unix sockets."""
    return "tcp" if sys.platform == "win32" else "unix"


def default_directory() -> Path:
    """Return the user's runtime directory, or what REMASK_RUNTIME_DIR says.

    Raises:
        RuntimeUnavailable: somebody else has laid hands on it, or there is none.
    """
    if chosen := os.environ.get(DIRECTORY_VARIABLE):
        return _short(Path(os.path.expandvars(home_of(chosen))).absolute())
    try:
        with warnings.catch_warnings():
            # Falling back to the temporary directory is fine: `make_private` checks it.
            warnings.simplefilter("ignore")
            return _short(Path(platformdirs.user_runtime_dir("remask", appauthor=False)))
    except (OSError, RuntimeError) as error:
        # Somebody else's, or no home is known, where that is below it.
        raise RuntimeUnavailable(f"{error}, or set {DIRECTORY_VARIABLE}.") from error


def make_private(directory: Path) -> None:
    """Make a directory that is this user's alone, or see that it is.

    Raises:
        RuntimeUnavailable: it can't be made, or somebody else could get in.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise RuntimeUnavailable(
            f"The directory {directory} can't be made ({error.strerror});"
            f" set {DIRECTORY_VARIABLE} to one that can."
        ) from error
    is_private = stat.S_ISDIR(found.st_mode) and (
        sys.platform == "win32"
        or (found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077)
    )
    if not is_private:
        raise RuntimeUnavailable(
            f"{directory} must be a directory of this user alone (mode 0700);"
            f" mend it, or set {DIRECTORY_VARIABLE} to another."
        )


async def connect(directory: Path, transport: Transport) -> Stream | None:
    """Connect to the runtime that listens in a directory; None if none does.

    Raises:
        RuntimeUnavailable: what listens there is not this user's.
    """
    try:
        if transport == "unix":
            reader, writer = await asyncio.open_unix_connection(str(directory / SOCKET_NAME))
            token = ""
        else:
            port, token = (directory / ADDRESS_NAME).read_text().split()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    except (FileNotFoundError, ConnectionError):
        return None
    if not _is_users_own(writer):
        writer.close()
        raise RuntimeUnavailable(f"What listens in {directory} belongs to another user.")
    return Stream(reader, writer, token)


def _is_users_own(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end is this user's; True where the system can't say."""
    end = writer.get_extra_info("socket")
    if sys.platform != "linux" or end.family != socket.AF_UNIX:
        return True
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return bool(uid == os.getuid())


def _short(directory: Path) -> Path:
    """Return the directory, or one of its own in /tmp where its sockets' paths are too long."""
    if sys.platform == "win32" or len(os.fsencode(directory / SOCKET_NAME)) <= MAX_SOCKET_PATH:
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(f"/tmp/remask-{os.getuid()}-{digest}")  # noqa: S108  # checked by `make_private`
