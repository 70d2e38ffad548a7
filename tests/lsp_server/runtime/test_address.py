"""Where the runtime listens, and that nobody else gets in."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.errors import RuntimeUnavailable
from lsp_server.runtime.address import (
    MAX_SOCKET_PATH,
    _short,
    connect,
    default_directory,
    make_private,
)
from model_runtime.protocol import SOCKET_NAME


def test_variable_chooses_the_directory(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REMASK_RUNTIME_DIR says where; without it, the user's runtime directory."""
    assert default_directory() == short_path
    monkeypatch.delenv("REMASK_RUNTIME_DIR")
    assert default_directory().name.startswith("remask")


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=150))
def test_socket_path_always_fits(name: str) -> None:
    """However long a directory's name is, its socket's path is one that systems take."""
    directory = Path("/run") / name

    assert len(os.fsencode(_short(directory) / SOCKET_NAME)) <= MAX_SOCKET_PATH
    assert _short(directory) == _short(directory)
    if len(os.fsencode(directory / SOCKET_NAME)) <= MAX_SOCKET_PATH:
        assert _short(directory) == directory


def test_made_directory_is_private(short_path: Path) -> None:
    """The directory is made for its user alone, with what leads to it."""
    directory = short_path / "a" / "b"
    make_private(directory)

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    make_private(directory)


@pytest.mark.parametrize("mode", [0o701, 0o750, 0o777])
def test_open_directory_is_refused(short_path: Path, mode: int) -> None:
    """A directory that others can enter is not used, and the message says what to do."""
    directory = short_path / "open"
    directory.mkdir()
    directory.chmod(mode)

    with pytest.raises(RuntimeUnavailable, match=r"this user alone .* REMASK_RUNTIME_DIR"):
        make_private(directory)


def test_link_is_refused(short_path: Path) -> None:
    """A link, which somebody else might have laid, is not followed."""
    target = short_path / "target"
    target.mkdir(mode=0o700)
    link = short_path / "link"
    link.symlink_to(target)

    with pytest.raises(RuntimeUnavailable, match="this user alone"):
        make_private(link)


def test_impossible_directory(short_path: Path) -> None:
    """A directory that can't be made is named."""
    (short_path / "file").touch()

    with pytest.raises(RuntimeUnavailable, match="can't be made"):
        make_private(short_path / "file" / "directory")


LISTEN_AS_NOBODY = """
import os, socket, sys
os.chmod(os.path.dirname(sys.argv[1]), 0o777)
os.setuid(65534)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
print(listener.accept()[0].recv(1), flush=True)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
async def test_other_users_socket_is_refused(short_path: Path) -> None:
    """What somebody else listens with is never spoken to."""
    stranger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LISTEN_AS_NOBODY, str(short_path / SOCKET_NAME)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert stranger.stdout is not None
    await stranger.stdout.readline()

    with pytest.raises(RuntimeUnavailable, match="belongs to another user"):
        await connect(short_path, "unix")
    assert await stranger.stdout.readline() == b"b''\n"
    await stranger.wait()


async def test_nobody_there(short_path: Path) -> None:
    """Without a runtime there is nothing to connect to, whatever the transport."""
    assert await connect(short_path, "unix") is None
    assert await connect(short_path, "tcp") is None
