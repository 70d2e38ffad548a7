"""How the server reads what a client sends: pygls' protocol, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from lsp_server.mirror import OpenDocuments

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any


class RemaskProtocol(LanguageServerProtocol):
    """pygls' protocol with our documents under it."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Initialize as pygls does; no document can be open yet, so its workspace gives way."""
        result = yield from super().lsp_initialize(params)
        theirs = self.workspace
        self._workspace = OpenDocuments(
            theirs.root_uri,
            types.TextDocumentSyncKind.Incremental,
            list(theirs.folders.values()),
            theirs.position_encoding,
        )
        told = result.capabilities.experimental or {}
        result.capabilities.experimental = told | {"remask": {"ghostEvents": True}}
        return result

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; pygls calls this for every object in it.

        JSON-RPC lets a message go without `params`, and wants an answer to every request that has
        an id; pygls drops what it can't read, and the client would wait for ever.

        Raises:
            JsonRpcException: it is none that the server knows; a request has its answer by then.
        """
        if "method" in data and "jsonrpc" in data:
            data.setdefault("params", None)
        try:
            return super().structure_message(data)
        except JsonRpcException as fault:
            if "method" in data and "id" in data:
                self._send_response(data["id"], error=fault.to_response_error())
            raise
