"""`remask/status`: what the runtime is doing, asked for or pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types

from lsp_server.protocol_ext import STATUS

if TYPE_CHECKING:
    from lsp_server.contract import Server


def register(server: Server) -> None:
    """Answer `remask/status`, and follow the runtime's state."""
    server.runtime.on_state(server.status.state)

    @server.feature(STATUS)
    async def answer_status(_params: Any) -> Any:
        return msgspec.to_builtins(await server.status.ask())

    @server.feature(types.SHUTDOWN)
    async def shut_down(_params: Any) -> None:
        server.keep_counts()
        await server.project.close()
        await server.runtime.close()
