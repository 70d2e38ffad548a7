"""`remask lsp` over stdio, with the runtime it starts, as VS Code and Neovim talk to it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled
from support.language_client import Home, capabilities_of, language_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pytest_lsp import LanguageClient

pytestmark = pytest.mark.e2e

EDITORS = ("visual_studio_code", "neovim@0.11.0")
URI = "file:///w/a.py"
TEXT = "def f(a):\n    return 0\n"
ENDLESS = "# ENDLESS\n    return 0\n"
SELECTED = types.Range(types.Position(1, 4), types.Position(1, 12))
CHANGE = types.TextEdit(types.Range(types.Position(1, 11), types.Position(1, 12)), "1")


@pytest.fixture(params=EDITORS)
async def client(request: pytest.FixtureRequest, home: Home) -> AsyncIterator[LanguageClient]:
    """Yield each editor in turn."""
    async with language_client(home, capabilities_of(request.param)) as client:
        yield client


def open_document(client: LanguageClient, text: str = TEXT, uri: str = URI) -> None:
    """Open a document of version 1."""
    item = types.TextDocumentItem(uri, "python", 1, text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))


async def offered(client: LanguageClient, selected: types.Range = SELECTED) -> types.CodeAction:
    """Return the action that infills a selection."""
    found = await client.text_document_code_action_async(
        types.CodeActionParams(
            types.TextDocumentIdentifier(URI),
            selected,
            types.CodeActionContext([], only=["refactor.rewrite.remask.infill"]),
        )
    )
    assert found
    action = found[0]
    assert isinstance(action, types.CodeAction)
    assert action.edit is None
    return action


def edits_of(action: types.CodeAction, version: int = 1) -> list[Any]:
    """Return an action's text edits, however the client wanted them."""
    assert action.edit is not None
    if action.edit.document_changes is None:
        assert action.edit.changes is not None
        return list(action.edit.changes[URI])
    (change,) = action.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == version
    return list(change.edits)


def asked_inline(
    line: int, character: int, trigger: types.InlineCompletionTriggerKind
) -> types.InlineCompletionParams:
    """Return the parameters of an inline completion request."""
    return types.InlineCompletionParams(
        types.InlineCompletionContext(trigger),
        types.TextDocumentIdentifier(URI),
        types.Position(line, character),
    )


INVOKED = types.InlineCompletionTriggerKind.Invoked
AUTOMATIC = types.InlineCompletionTriggerKind.Automatic


async def test_a_selection_is_filled(client: LanguageClient) -> None:
    """The whole way: offer, resolve, runtime started, canvas denoised, smallest edit back."""
    open_document(client)

    action = await client.code_action_resolve_async(await offered(client))

    assert edits_of(action) == [CHANGE]


@pytest.mark.parametrize("trigger", [INVOKED, AUTOMATIC])
async def test_ghost_text_comes(
    client: LanguageClient, trigger: types.InlineCompletionTriggerKind
) -> None:
    """Asked for by key, and by itself after a pause."""
    open_document(client, "def f(a):\n    \n")

    found = await client.text_document_inline_completion_async(asked_inline(1, 4, trigger))

    assert isinstance(found, list | tuple)
    assert [item.insert_text for item in found] == ["return 1"]


async def test_a_command_applies(client: LanguageClient) -> None:
    """The client is asked to apply the edit, and its answer is the command's."""
    open_document(client)
    plain = {"line": 1, "character": 4}, {"line": 1, "character": 12}
    params = {"uri": URI, "ranges": [{"start": plain[0], "end": plain[1]}]}

    result = await client.workspace_execute_command_async(
        types.ExecuteCommandParams("remask.infill", [params])
    )

    assert result == {"applied": True, "reason": ""}
    (applied,) = client.applied  # type: ignore[attr-defined]  # see `language_client`
    assert edits_of(types.CodeAction("", edit=applied.edit)) == [CHANGE]


def begin_resolve(client: LanguageClient, action: types.CodeAction) -> asyncio.Task[Any]:
    """Have an action resolved; the request's id is "m1"."""
    work = client.protocol.send_request_async(types.CODE_ACTION_RESOLVE, action, msg_id="m1")
    return asyncio.create_task(work)


async def begin_fill(client: LanguageClient, text: str) -> tuple[asyncio.Task[Any], Any]:
    """Have the second line of a new document filled; return its reply to come and its progress.

    The model is at work by then.
    """
    open_document(client, text)
    reply = begin_resolve(client, await offered(client))
    return reply, await client.wait_for_notification(types.PROGRESS)


def change_document(client: LanguageClient, text: str = TEXT, version: int = 2) -> None:
    """Replace the document's text."""
    document = types.VersionedTextDocumentIdentifier(version, URI)
    whole = types.TextDocumentContentChangeWholeDocument(text)
    client.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))


def close_document(client: LanguageClient) -> None:
    """Close the document."""
    identifier = types.TextDocumentIdentifier(URI)
    client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))


async def test_progress_shows_the_denoising_and_can_be_cancelled(client: LanguageClient) -> None:
    """The server's own progress carries the draft; its cancel ends the request quietly."""
    reply, begun = await begin_fill(client, ENDLESS)

    client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(begun.token))

    assert (await reply).edit is None
    ((first, *_, last),) = client.progress_reports.values()
    assert isinstance(first, types.WorkDoneProgressBegin)
    assert (first.title, first.cancellable) == ("Remask: infill", True)
    assert first.message
    assert isinstance(last, types.WorkDoneProgressEnd)
    assert client.messages == []


async def test_a_cancelled_request_frees_the_model(client: LanguageClient) -> None:
    """`$/cancelRequest` reaches the denoising loop: the next request is served."""
    reply, _ = await begin_fill(client, ENDLESS)

    client.cancel_request(types.CancelParams("m1"))

    with pytest.raises(JsonRpcRequestCancelled):
        await reply
    change_document(client)
    assert edits_of(await client.code_action_resolve_async(await offered(client)), 2) == [CHANGE]


@pytest.mark.parametrize("move", [change_document, close_document])
async def test_a_stale_result_is_dropped(
    client: LanguageClient, move: Callable[[LanguageClient], None]
) -> None:
    """Edited or closed while the model works: no edit, a line in the log, no popup."""
    reply, _ = await begin_fill(client, "# SLOW\n    return 0\n")

    move(client)

    assert (await reply).edit is None
    assert client.messages == []
    assert "while the model worked" in client.log_messages[-1].message


async def test_a_killed_runtime_is_replaced(home: Home, client: LanguageClient) -> None:
    """SIGKILL in the middle: a clear message, and the next request starts a new runtime."""
    reply, _ = await begin_fill(client, ENDLESS)
    status = await home.status()
    assert status is not None

    os.kill(status.pid, signal.SIGKILL)

    assert (await reply).edit is None
    (shown,) = client.messages
    assert "runtime died" in shown.message
    change_document(client)
    assert edits_of(await client.code_action_resolve_async(await offered(client)), 2) == [CHANGE]


@pytest.mark.parametrize(
    ("word", "says"),
    [("CRASH", "runtime died"), ("BUG", "ZeroDivisionError"), ("NO_WEIGHTS", "model_load_failed")],
)
async def test_a_failure_is_shown_not_thrown(client: LanguageClient, word: str, says: str) -> None:
    """Whatever becomes of the runtime, the reply is the action, and one message says why."""
    open_document(client, f"# {word}\n    return 0\n")

    action = await client.code_action_resolve_async(await offered(client))

    assert action.edit is None
    (shown,) = client.messages
    assert says in shown.message


async def test_a_newer_inline_request_ends_the_older(client: LanguageClient) -> None:
    """Neovim does not cancel what it asked before; the older one is answered with nothing."""
    open_document(client, "# ENDLESS\n    \n")
    request = asked_inline(1, 4, INVOKED)
    older = asyncio.create_task(
        client.protocol.send_request_async(types.TEXT_DOCUMENT_INLINE_COMPLETION, request)
    )
    newer = asyncio.create_task(
        client.protocol.send_request_async(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, request, msg_id="m2"
        )
    )

    assert await older is None

    client.cancel_request(types.CancelParams("m2"))
    with pytest.raises(JsonRpcRequestCancelled):
        await newer
