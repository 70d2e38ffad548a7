"""The server as a process: how it starts, shares a runtime, and leaves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from support.language_client import COMMAND, Home, capabilities_of, language_client

if TYPE_CHECKING:
    from pytest_lsp import LanguageClient

pytestmark = pytest.mark.e2e

HEAVY = ("torch", "numpy", "transformers", "tokenizers", "safetensors", "gguf", "typer", "rich")
#: Light enough for a server that works, and too slow for one that starts.
LATE = ("filelock", "pathspec", "tree_sitter")


def frame(message: dict[str, Any]) -> bytes:
    """Return a message as it goes over the wire."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    "module", ["lsp_server.wiring", "lsp_server.stdio", "lsp_server.command_line.terminal"]
)
def test_the_server_holds_no_tensors(module: str) -> None:
    """A fresh interpreter that imports it has none of the heavy packages, whoever imports them."""
    heavy = HEAVY[: -2 if module.endswith("terminal") else None]
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert found.stdout.split() == [b"[]"]


def test_a_start_waits_for_nothing_that_comes_later() -> None:
    """All features are there; what one of them needs later is imported later."""
    code = f"import sys, lsp_server.wiring as _; print([m for m in {LATE!r} if m in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert found.stdout.split() == [b"[]"]


def test_the_server_leaves_with_its_client(home: Home) -> None:
    """An editor that dies says nothing; its end of the pipe closes."""
    hello = {"id": 1, "method": "initialize", "params": {"processId": None, "capabilities": {}}}

    ended = subprocess.run(
        [*COMMAND, "lsp"],
        input=frame(hello),
        capture_output=True,
        check=False,
        timeout=30,
        env=home.environment,
    )

    assert b'"id": 1' in ended.stdout
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "garbage",
    [
        b"Content-Length: 5\r\n\r\n{nope",
        b"Content-Length: 2\r\n\r\n\xff\xfe",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: many\r\n\r\n",
        b"X-Nothing: 1\r\n\r\n",
        frame({"method": "textDocument/didOpen", "params": {"textDocument": 7}}),
    ],
    ids=["no JSON", "no UTF-8", "no object", "no length", "no head", "no document"],
)
def test_bytes_that_are_no_message_are_passed_over(home: Home, garbage: bytes) -> None:
    """The next message is answered as if they had not been there."""
    hello = {"id": 1, "method": "initialize", "params": {"processId": None, "capabilities": {}}}
    words = frame(hello) + garbage + frame({"id": 2, "method": "shutdown"})

    ended = subprocess.run(
        [*COMMAND, "lsp"],
        input=words,
        capture_output=True,
        check=True,
        timeout=30,
        env=home.environment,
    )

    assert b'"id": 2' in ended.stdout


async def fill_one(client: LanguageClient) -> Any:
    """Open a document and fill it."""
    uri = "file:///w/a.py"
    item = types.TextDocumentItem(uri, "python", 1, "")
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    zero = {"line": 0, "character": 0}
    arguments = [{"uri": uri, "ranges": [{"start": zero, "end": zero}]}]
    return await client.workspace_execute_command_async(
        types.ExecuteCommandParams("remask.infill", arguments)
    )


async def test_two_editors_share_one_runtime(home: Home) -> None:
    """Both ask at once, one starts it, both are served; it stays when one leaves."""
    vscode, neovim = capabilities_of("visual_studio_code"), capabilities_of("neovim@0.11.0")
    async with language_client(home, vscode) as one:
        async with language_client(home, neovim) as other:
            results = await asyncio.gather(fill_one(one), fill_one(other))
            status = await home.status()
        later = await home.status()

    assert results == [{"applied": True, "reason": ""}] * 2
    assert status is not None
    assert later is not None
    assert status.pid == later.pid


async def test_garbage_from_the_client_does_not_end_the_server(home: Home) -> None:
    """A notification no one knows, a change of a closed document, a cancel of what never was."""
    async with language_client(home, capabilities_of("neovim@0.11.0")) as client:
        client.protocol.notify("nobody/knows", {"x": 1})
        document = types.VersionedTextDocumentIdentifier(2, "file:///w/never-opened.py")
        whole = types.TextDocumentContentChangeWholeDocument("x")
        client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))
        client.cancel_request(types.CancelParams("never-sent"))

        assert (await fill_one(client))["applied"]
        assert client.messages == []
