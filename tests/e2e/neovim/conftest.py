"""A real Neovim, its server, and a runtime that answers by script."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import editors
from support.neovim import Neovim, runtime_directory, write_script

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartNeovim = Callable[..., Neovim]


@contextlib.contextmanager
def _own_world(version: str) -> Iterator[tuple[Path, Path]]:
    """Yield a Neovim's executable and a folder that holds all its state and its runtime's."""
    executable = editors.neovim(version)
    with tempfile.TemporaryDirectory(prefix="rm-") as name:
        folder = Path(name)
        try:
            yield executable, folder
        finally:
            asyncio.run(_stop(runtime_directory(folder)))


async def _stop(directory: Path) -> None:
    client = RuntimeClient(RuntimeProcess(directory))
    await client.stop()
    await client.close()


@pytest.fixture(params=["0.11", "0.12"])
def neovim_version(request: pytest.FixtureRequest) -> str:
    """Each Neovim that Remask supports."""
    return str(request.param)


@pytest.fixture(scope="module")
def _neovims(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Neovim]]:
    """One Neovim a version for a module's tests; the module's REPLIES are its model's."""
    started: dict[str, Neovim] = {}
    with contextlib.ExitStack() as worlds:

        def get(version: str) -> Neovim:
            if version not in started:
                executable, folder = worlds.enter_context(_own_world(version))
                write_script(folder, *request.module.REPLIES)
                started[version] = Neovim(executable, folder)
                worlds.callback(started[version].close)
            return started[version]

        yield get


@pytest.fixture
def nvim(neovim_version: str, _neovims: Callable[[str], Neovim]) -> Iterator[Neovim]:
    """A Neovim with no buffers of earlier tests."""
    neovim = _neovims(neovim_version)
    yield neovim
    neovim.reset()


@pytest.fixture
def start_neovim(neovim_version: str) -> Iterator[StartNeovim]:
    """Start a Neovim of the test's own; takes the model's replies and `Neovim`'s arguments."""
    with contextlib.ExitStack() as worlds:

        def start(*replies: dict[str, Any], **arguments: Any) -> Neovim:
            executable, folder = worlds.enter_context(_own_world(neovim_version))
            write_script(folder, *replies)
            neovim = Neovim(executable, folder, **arguments)
            worlds.callback(neovim.close)
            return neovim

        yield start
