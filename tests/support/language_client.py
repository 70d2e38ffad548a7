"""A real `remask lsp` process and a client that stands for a real editor."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from model_runtime.protocol import Status

COMMAND = (sys.executable, "-m", "lsp_server")


class Home:
    """A user's own runtime directory and environment.

    Args:
        folder: empty, with a short path: a socket comes to lie in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "script.json"
        self.environment = {
            **os.environ,
            "REMASK_RUNTIME_DIR": str(folder / "run"),
            "REMASK_ENGINE": "scripted",
            "REMASK_SCRIPT": str(self.script),
            # Should a test be killed, what it started leaves by itself.
            "REMASK_IDLE_EXIT_S": "60",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def answer(self, *replies: dict[str, Any]) -> None:
        """Write the runtime's script, before it starts."""
        self.script.write_text(json.dumps({"replies": replies}))

    async def status(self) -> Status | None:
        """Ask the runtime from the side."""
        return await RuntimeClient(self._process()).status()

    async def stop(self) -> None:
        """End the runtime."""
        await RuntimeClient(self._process()).stop()

    def _process(self) -> RuntimeProcess:
        return RuntimeProcess(Path(self.environment["REMASK_RUNTIME_DIR"]))


@contextlib.contextmanager
def new_home() -> Iterator[Home]:
    """Yield a home; its folder is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="rm-"))
    try:
        yield Home(folder)
    finally:
        shutil.rmtree(folder)


def capabilities_of(editor: str) -> types.ClientCapabilities:
    """Return an editor's recorded capabilities, with those of LSP 3.18 that came later."""
    capabilities = client_capabilities(editor)
    assert capabilities.text_document is not None
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    return capabilities


@contextlib.asynccontextmanager
async def language_client(
    home: Home,
    capabilities: types.ClientCapabilities,
    settings: dict[str, Any] | None = None,
    root: Path | None = None,
) -> AsyncIterator[LanguageClient]:
    """Yield an initialized client; its server has left in good order afterwards."""
    client = make_test_lsp_client()
    client.set_configuration(settings or {}, section="remask")
    applied = client.applied = []  # type: ignore[attr-defined]  # a place to look

    @client.feature(types.WORKSPACE_APPLY_EDIT)
    def apply_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        applied.append(params)
        return types.ApplyWorkspaceEditResult(applied=True)

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register_capability(_params: types.RegistrationParams) -> None:
        pass

    await client.start_io(*COMMAND, "lsp", env=home.environment)
    try:
        uri = root.as_uri() if root else None
        await client.initialize_session(
            types.InitializeParams(capabilities=capabilities, root_uri=uri)
        )
        yield client
        await client.shutdown_session()
        assert client._server is not None
        assert client._server.returncode == 0
    finally:
        if client._server is not None and client._server.returncode is None:
            client._server.kill()
        await client.stop()
