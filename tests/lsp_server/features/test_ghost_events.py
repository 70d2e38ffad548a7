"""What becomes of ghost text, as a client tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.editor import URI, Editor

from lsp_server.tally import read_counts, tally_path

if TYPE_CHECKING:
    from support.fake_runtime import FakeRuntime

METHOD = "textDocument/inlineCompletion"


async def suggested(editor: Editor, text: str = "x = \n") -> dict[str, Any]:
    """Return the suggestion at the end of the first line."""
    editor.open(text)
    position = {"line": 0, "character": len(text) - 1}
    asked = {"textDocument": {"uri": URI}, "position": position, "context": {"triggerKind": 2}}
    (item,) = await editor.request(METHOD, asked)
    return item  # type: ignore[no-any-return]


async def kept(editor: Editor) -> dict[str, int]:
    """Return what is kept once the server has left."""
    await editor.request("shutdown", None)
    total = read_counts(tally_path()).total
    return {name: n for name in total.__struct_fields__ if (n := getattr(total, name))}


async def test_the_server_says_that_it_listens(runtime: FakeRuntime) -> None:
    """Clients send no event to a server that doesn't."""
    capabilities = await Editor(runtime).start()

    assert capabilities["experimental"]["remask"]["ghostEvents"] is True


async def test_the_items_command_tells_of_an_accept(editor: Editor) -> None:
    """As any LSP client runs it."""
    command = (await suggested(editor))["command"]

    await editor.request("workspace/executeCommand", command)

    assert await kept(editor) == {"accepted": 1}


async def test_a_word_accepted_is_a_part(editor: Editor) -> None:
    """The rest of the suggestion was not wanted."""
    item = await suggested(editor)
    editor.notify("textDocument/didShowCompletion", {"item": item})
    editor.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 6})
    await editor.settle()

    assert await kept(editor) == {"partly": 1}


async def test_what_stands_when_the_document_closes_was_passed_over(editor: Editor) -> None:
    """And events of nobody's are no fault."""
    await suggested(editor)
    editor.notify("textDocument/didPartiallyAcceptCompletion", {"item": {"insertText": "a"}})
    editor.notify("textDocument/didPartiallyAcceptCompletion", None)
    await editor.request("workspace/executeCommand", {"command": "remask.accepted"})
    editor.close()

    assert await kept(editor) == {"passed": 1}


async def test_the_setting_turns_it_off(runtime: FakeRuntime) -> None:
    """Then nothing is written."""
    editor = Editor(runtime, {"inline": {"statistics": False, "debounceMs": 0}})
    await editor.start()
    command = (await suggested(editor))["command"]
    await editor.request("workspace/executeCommand", command)

    assert await kept(editor) == {}
    assert not tally_path().exists()
