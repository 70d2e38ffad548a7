"""An editor without a process: talks JSON-RPC with a server in the same event loop.

For cases that hang on the order of events; the tests in e2e have real processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcException

from lsp_server.wiring import create_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fake_runtime import FakeRuntime

URI = "file:///w/a.py"

#: An editor that can do everything.
ABLE: dict[str, Any] = {
    "workspace": {
        "applyEdit": True,
        "configuration": True,
        "workspaceEdit": {"documentChanges": True},
        "didChangeConfiguration": {"dynamicRegistration": True},
    },
    "textDocument": {
        "codeAction": {
            "dataSupport": True,
            "disabledSupport": True,
            "resolveSupport": {"properties": ["edit"]},
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
        }
    },
    "window": {"workDoneProgress": True},
    "experimental": {"remask": {"drafts": True, "status": True}},
}


class Refused(Exception):
    """The server answered with an error."""


class Editor:
    """One client of one server.

    Args:
        runtime: the server's.
        settings: answered to `workspace/configuration`.
    """

    def __init__(self, runtime: FakeRuntime, settings: dict[str, Any] | None = None) -> None:
        self.runtime = runtime
        self.settings = settings
        self.server = create_server(runtime)  # type: ignore[arg-type]  # it fakes the same methods
        self.server.protocol.set_writer(self, include_headers=False)
        #: Every notification and request of the server's, by method.
        self.heard: dict[str, list[Any]] = {}
        #: What requests of the server's are answered with, by method.
        self.answers: dict[str, Callable[[Any], Any]] = {
            "workspace/configuration": lambda _: [self.settings],
            "workspace/applyEdit": lambda _: {"applied": True},
        }
        #: Requests of the server's that are answered with an error, by method.
        self.refused: set[str] = set()
        #: Requests of the server's that are never answered, by method.
        self.silent: set[str] = set()
        self._replies: dict[str, asyncio.Future[Any]] = {}
        self._n_requests = 0
        self._listeners: list[tuple[str, asyncio.Event]] = []

    async def start(self, capabilities: dict[str, Any] | None = None, **options: Any) -> Any:
        """Initialize; `options` are fields of `InitializeParams`."""
        params = {"processId": None, "rootUri": "file:///w", **options}
        params["capabilities"] = ABLE if capabilities is None else capabilities
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        await self.settle()
        return result["capabilities"]

    async def settle(self) -> None:
        """Wait for everything else in the event loop to be done."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def turn(self) -> None:
        """Let the server begin with what it was sent, as it does before it reads on."""
        await asyncio.sleep(0)

    def open(self, text: str, uri: str = URI, language: str = "python", version: int = 1) -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, text: str, version: int, uri: str = URI) -> None:
        """Replace a document's text."""
        params = {
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"text": text}],
        }
        self.notify("textDocument/didChange", params)

    def close(self, uri: str = URI) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def ask(self, method: str, *params: Any) -> asyncio.Future[Any]:
        """Send a request, with or without params; its reply comes later."""
        self._n_requests += 1
        msg_id = f"r{self._n_requests}"
        reply = self._replies[msg_id] = asyncio.get_running_loop().create_future()
        message = {"id": msg_id, "method": method}
        self._send(message | {"params": params[0]} if params else message)
        return reply

    async def request(self, method: str, *params: Any) -> Any:
        """Send a request and wait for its result."""
        return await self.ask(method, *params)

    def cancel_last(self) -> None:
        """Cancel the request sent last."""
        self.notify("$/cancelRequest", {"id": f"r{self._n_requests}"})

    async def hear(self, method: str) -> Any:
        """Wait for the next message of a method that the server sends."""
        event = asyncio.Event()
        self._listeners.append((method, event))
        await event.wait()
        return self.heard[method][-1]

    def write(self, data: bytes) -> None:
        """Take a message of the server's: the writer's interface."""
        message = json.loads(data)
        method = message.get("method")
        if method is None:
            self._settle(message)
            return
        self.heard.setdefault(method, []).append(message["params"])
        for listener in [each for each in self._listeners if each[0] == method]:
            self._listeners.remove(listener)
            listener[1].set()
        if "id" in message and method not in self.silent:
            answer = self.answers.get(method, lambda _: None)(message["params"])
            reply = {"id": message["id"], "result": answer}
            if method in self.refused:
                reply = {"id": message["id"], "error": {"code": -32603, "message": "No."}}
            # Later, as over a wire: pygls waits for the answer only after it has sent the question.
            asyncio.get_running_loop().call_soon(self._send, reply)

    def _settle(self, message: Any) -> None:
        reply = self._replies.pop(message["id"])
        if "error" in message:
            reply.set_exception(Refused(message["error"]["code"], message["error"]["message"]))
        else:
            reply.set_result(message.get("result"))

    def _send(self, message: dict[str, Any]) -> None:
        protocol = self.server.protocol
        # What can't be read does not end the loop that reads.
        with contextlib.suppress(JsonRpcException):
            protocol.handle_message(protocol.structure_message({"jsonrpc": "2.0", **message}))


def at(line: int, start: int, end: int | None = None) -> dict[str, Any]:
    """Return a range in one line."""
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": start if end is None else end},
    }
