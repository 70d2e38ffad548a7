"""Commands: fill, apply, and say what became of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from support.editor import ABLE, URI, Editor, at

from lsp_server.errors import InfillFailed
from lsp_server.protocol_ext import COMMANDS

if TYPE_CHECKING:
    from support.fake_runtime import FakeRuntime


async def run(editor: Editor, *arguments: Any, name: str = "remask.infill") -> Any:
    """Execute a command."""
    params = {"command": name, "arguments": list(arguments)}
    return await editor.request("workspace/executeCommand", params)


SELECTED = {"uri": URI, "ranges": [at(0, 4, 5)]}


async def test_a_command_applies_its_edit(editor: Editor) -> None:
    """Through the client, versioned, under a name for the undo list."""
    editor.open("x = 0\n")

    result = await run(editor, SELECTED)

    assert result == {"applied": True, "reason": ""}
    (applied,) = editor.heard["workspace/applyEdit"]
    assert applied["label"] == "Remask: infill"
    (change,) = applied["edit"]["documentChanges"]
    assert change["textDocument"]["version"] == 1
    assert change["edits"] == [{"range": at(0, 4, 5), "newText": "return 1"}]


async def test_a_refused_edit_is_not_counted_as_applied(editor: Editor) -> None:
    """The client's answer is passed on, with its reason."""
    editor.open("x = 0\n")
    refusal = {"applied": False, "failureReason": "read-only"}
    editor.answers["workspace/applyEdit"] = lambda _: refusal

    assert await run(editor, SELECTED) == {"applied": False, "reason": "read-only"}


async def test_a_client_that_takes_no_edits_is_told(runtime: FakeRuntime) -> None:
    """There is no other way to bring the result to it."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["workspace"]["applyEdit"]
    editor = Editor(runtime)
    await editor.start(capabilities)
    editor.open("x = 0\n")

    result = await run(editor, SELECTED)

    assert result == {"applied": False, "reason": "This editor takes no edits from a server."}


async def test_a_fill_that_changes_nothing_applies_nothing(editor: Editor) -> None:
    """No edit, no step of undo."""
    editor.open("return 1\n")

    result = await run(editor, {"uri": URI, "ranges": [at(0, 0, 8)]})

    assert result == {"applied": False, "reason": "The model would change nothing."}
    assert [shown["type"] for shown in editor.heard["window/showMessage"]] == [3]
    assert "workspace/applyEdit" not in editor.heard


async def test_a_result_that_does_not_parse_is_told(editor: Editor) -> None:
    """It is applied, for the user can judge; but not in silence."""
    editor.open("y = 1\r\nx = 0\r\n")

    await run(editor, {"uri": URI, "ranges": [at(1, 4, 5)]})

    (shown,) = editor.heard["window/showMessage"]
    assert shown["message"] == "The result does not parse, from line 2 on; look twice."


@pytest.mark.parametrize(("name", "mode"), COMMANDS.items())
async def test_each_mode_has_a_command(editor: Editor, name: str, mode: str) -> None:
    """The command's name says the mode; the rest of the parameters is passed on."""
    # Without a grammar the runtime is asked once, whatever it answers.
    editor.open("x = ___\n", language="cobol")

    await run(
        editor,
        {"uri": URI, "ranges": [at(0, 4, 7)], "instruction": "why not", "strength": 0.25},
        name=name,
    )

    (request,) = editor.runtime.requests
    assert (request.mode, request.instruction, request.strength) == (mode, "why not", 0.25)


async def test_several_places_are_filled_in_one_edit(editor: Editor) -> None:
    """One request, one edit, one step of undo."""
    editor.open("x = 0\ny = 0\n")
    places = [at(1, 4, 5), at(0, 4, 5)]

    await run(editor, {"uri": URI, "ranges": places}, name="remask.holes")

    (applied,) = editor.heard["workspace/applyEdit"]
    (change,) = applied["edit"]["documentChanges"]
    assert [edit["range"] for edit in change["edits"]] == [places[1], places[0]]
    assert [span.following for span in editor.runtime.requests[0].spans] == ["\ny = ", ""]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "takes one InfillParams object"),
        ([1], "takes one InfillParams object"),
        ([SELECTED, SELECTED], "takes one InfillParams object"),
        ([{"uri": URI, "what": 1}], "unknown field `what`"),
        ([{**SELECTED, "strength": 2}], "<= 1"),
        ([{"uri": URI}], "select one place; 0 are selected"),
        ([{"uri": "file:///w/closed.py", "ranges": [at(0, 0)]}], "is not open in the editor"),
        ([{"uri": URI, "ranges": [at(9, 0)]}], "Line 10 is outside"),
        ([{"uri": URI, "ranges": [at(-1, 0)]}], ">= 0"),
        ([{"uri": URI, "ranges": [at(0, 5)], "scope": "body"}], "no body around"),
    ],
)
async def test_a_command_that_can_not_be_done_says_why(
    editor: Editor, arguments: list[Any], says: str
) -> None:
    """To the user as a message, to the caller as a reason; never as an error reply."""
    editor.open("x = 0\n")

    result = await run(editor, *arguments)

    assert not result["applied"]
    assert says in result["reason"]
    assert [shown["message"] for shown in editor.heard["window/showMessage"]] == [result["reason"]]


async def test_a_stale_result_is_not_applied(editor: Editor) -> None:
    """The caller learns it, the user is not bothered."""
    editor.open("x = 0\n")
    editor.runtime.may_answer.clear()
    params = {"command": "remask.infill", "arguments": [SELECTED]}
    reply = editor.ask("workspace/executeCommand", params)
    await editor.runtime.asked.wait()

    editor.change("y = 0\n", 2)
    editor.runtime.may_answer.set()

    assert "changed while the model worked" in (await reply)["reason"]
    assert "window/showMessage" not in editor.heard
    assert "workspace/applyEdit" not in editor.heard


async def test_a_superseded_request_is_quiet(editor: Editor) -> None:
    """Nobody needs to read about it."""
    editor.open("x = 0\n")
    editor.runtime.reply = lambda _: InfillFailed("superseded", "A newer one came.")

    assert not (await run(editor, SELECTED))["applied"]
    assert "window/showMessage" not in editor.heard
    assert "window/logMessage" not in editor.heard


async def test_an_older_version_is_not_filled(editor: Editor) -> None:
    """Who names a version means that text and no other."""
    editor.open("x = 0\n", version=3)

    assert "Ask again" in (await run(editor, {**SELECTED, "version": 2}))["reason"]
    assert (await run(editor, {**SELECTED, "version": 3}))["applied"]


async def test_a_client_that_breaks_is_no_bug_of_ours(editor: Editor) -> None:
    """An error in place of an answer is a refusal."""
    editor.open("x = 0\n")
    editor.refused.add("workspace/applyEdit")

    result = await run(editor, SELECTED)

    assert result == {"applied": False, "reason": "The editor did not take it: No."}
