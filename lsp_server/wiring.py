"""The one place that knows both the server and its features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.features import (
    closing,
    code_actions,
    commands,
    configuration,
    ghost_events,
    inline_completion,
    next_edit,
    project,
    scores,
    shown,
    status,
)
from lsp_server.server import RemaskServer

if TYPE_CHECKING:
    from lsp_server.runtime.client import RuntimeClient


def create_server(runtime: RuntimeClient) -> RemaskServer:
    """Return a server with every feature registered, not yet listening."""
    server = RemaskServer(runtime)
    for feature in (
        closing,
        code_actions,
        commands,
        configuration,
        ghost_events,
        inline_completion,
        next_edit,
        project,
        scores,
        shown,
        status,
    ):
        feature.register(server)
    return server
