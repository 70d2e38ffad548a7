"""The rest of the workspace: its index is begun, and told of files that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from lsp_server.contract import Server


def register(server: Server) -> None:
    """Follow the workspace's files."""

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change(params: types.DidChangeWatchedFilesParams) -> None:
        server.project.changed(event.uri for event in params.changes)

    async def begin() -> None:
        if await server.project.begin() and server.support.register_watching:
            await _watch(server)

    server.on_ready(begin)


async def _watch(server: Server) -> None:
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    # Folders, too: of one that is renamed or removed nothing else may be told.
    watched = [types.FileSystemWatcher(glob_pattern="**/*")]
    options = types.DidChangeWatchedFilesRegistrationOptions(watched)
    registration = types.Registration(id=method, method=method, register_options=options)
    try:
        await server.client_register_capability_async(types.RegistrationParams([registration]))
    except JsonRpcException as refusal:
        server.tell_once(f"Changes of files are noticed only from time to time: {refusal}")
