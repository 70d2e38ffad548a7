"""An engine on another machine fails: what the editor hears of it."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types
from support.fake_remote import fake_remote
from support.language_client import Home, capabilities_of, language_client
from support.remote_failures import FAILURES, FILL, REMOTE, environment, good

from model_runtime.engines import ENGINES

pytestmark = pytest.mark.e2e

URI = "file:///w/a.py"
SELECTED = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 8}}


@pytest.mark.parametrize("name", REMOTE)
async def test_each_failure_is_one_clear_message(
    home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked reads why, in one message; the document stays, and the next request works."""
    engine: Any = ENGINES.load(name)
    monkeypatch.delenv(engine.key_variable, raising=False)
    with fake_remote() as remote:
        home.environment |= environment(name, remote.url)
        async with language_client(home, capabilities_of("visual_studio_code")) as client:
            item = types.TextDocumentItem(URI, "python", 1, "def area(w, h):\n    pass\n")
            client.text_document_did_open(types.DidOpenTextDocumentParams(item))

            async def fill() -> Any:
                arguments = [{"uri": URI, "ranges": [SELECTED]}]
                return await client.workspace_execute_command_async(
                    types.ExecuteCommandParams("remask.infill", arguments)
                )

            for reply, words in FAILURES.values():
                remote.replies = [reply]
                client.messages.clear()

                result = await fill()

                (shown,) = client.messages
                assert words in shown.message
                assert result == {"applied": False, "reason": shown.message}
            remote.replies = [good(name)]
            client.messages.clear()

            assert await fill() == {"applied": True, "reason": ""}

        assert client.messages == []
        (applied,) = client.applied  # type: ignore[attr-defined]  # see `language_client`
        (edit,) = applied.edit.document_changes[0].edits
        assert edit.new_text == FILL


async def test_ghost_text_fails_without_a_message(home: Home) -> None:
    """Nobody asked, so nothing pops up; a line of the log has each reason, once."""
    with fake_remote() as remote:
        home.environment |= environment("openai_fim", remote.url)
        async with language_client(home, capabilities_of("neovim@0.11.0")) as client:
            item = types.TextDocumentItem(URI, "python", 1, "def area(w, h):\n    \n")
            client.text_document_did_open(types.DidOpenTextDocumentParams(item))
            context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
            params = types.InlineCompletionParams(
                context, types.TextDocumentIdentifier(URI), types.Position(1, 4)
            )
            replies = [reply for reply, _ in FAILURES.values()]
            found = []
            for reply in replies:
                remote.replies = [reply]
                found += [
                    await client.text_document_inline_completion_async(params) for _ in range(2)
                ]
            lines = [line.message for line in client.log_messages]

    assert found == [None] * len(replies) * 2
    assert client.messages == []
    # A whole reply that is no JSON, as an event that is none, is told in the same words.
    for _, words in FAILURES.values():
        assert len([line for line in lines if words in line]) == 1
