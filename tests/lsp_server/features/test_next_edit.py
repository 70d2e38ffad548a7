"""What is offered after an edit, and when nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.editor import ABLE, URI, Editor
from support.fake_runtime import FakeRuntime, FakeState, finished

from lsp_server.errors import InfillFailed, RuntimeUnavailable

if TYPE_CHECKING:
    from lsp_server.errors import ServerFault

TEXT = "def area(width, h):\n    size = width * h\n    return size + width\n"
EDITED = TEXT.replace("(width", "(breadth")
#: A client that asks for next edits itself.
ASKING = ABLE | {"experimental": {"remask": {"nextEdit": True}}}


@pytest.fixture
def runtime() -> FakeRuntime:
    """Return a runtime that offers whatever it is asked about."""
    return FakeRuntime(lambda request: finished(request, "x"))


@pytest.fixture
async def editor(runtime: FakeRuntime) -> Editor:
    """Return an editor that asks itself, with a document whose parameter was just renamed."""
    editor = await started(runtime)
    editor.open(TEXT)
    editor.change(EDITED, 2)
    return editor


async def started(
    runtime: FakeRuntime, capabilities: dict[str, Any] = ASKING, **settings: Any
) -> Editor:
    """Return an editor with settings for next edits."""
    editor = Editor(runtime, {"nextEdit": {"debounceMs": 0, **settings}})
    await editor.start(capabilities)
    return editor


async def ask(editor: Editor, version: int = 2, **more: Any) -> Any:
    """Ask for the next edit."""
    return await editor.request("remask/nextEdit", {"uri": URI, "version": version, **more})


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """Return a text with edits made, each inside of one line."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda edit: edit["range"]["start"]["character"], reverse=True):
        start, end = edit["range"]["start"], edit["range"]["end"]
        line = lines[start["line"]]
        lines[start["line"]] = line[: start["character"]] + edit["text"] + line[end["character"] :]
    return "".join(lines)


async def test_the_uses_of_what_was_renamed_are_offered(editor: Editor) -> None:
    """All of them, together, for the document as it stands."""
    found = await ask(editor)
    assert found["version"] == 2
    assert applied(EDITED, found["edits"]) == TEXT.replace("width", "breadth")


@pytest.mark.parametrize(("line", "first"), [(0, 1), (2, 2)])
async def test_the_nearest_place_comes_first(editor: Editor, line: int, first: int) -> None:
    """From the cursor on, and round."""
    found = await ask(editor, position={"line": line, "character": 0})
    assert found["edits"][0]["range"]["start"]["line"] == first
    assert len(found["edits"]) == 2


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
async def test_places_are_right_whatever_ends_the_lines(runtime: FakeRuntime, end: str) -> None:
    """The model reads line feeds; the document keeps what it has, astral characters included."""
    editor = await started(runtime)
    text = f"# 🙂🙂{end}" + TEXT.replace("\n", end).replace("size +", "'🙂' +")
    edited = text.replace("(width", "(breadth")
    editor.open(text)
    editor.change(edited, 2)
    found = await ask(editor)
    lines = edited.split(end)
    for edit in found["edits"]:
        start, stop = edit["range"]["start"], edit["range"]["end"]
        units = lines[start["line"]].encode("utf-16-le")
        assert units[2 * start["character"] : 2 * stop["character"]].decode("utf-16-le") == "width"
    assert "\r" not in runtime.next_edit_requests[0].text


async def test_a_stale_one_is_dropped(editor: Editor, runtime: FakeRuntime) -> None:
    """Who types on while the model works gets nothing of what was asked before."""
    runtime.may_answer.clear()
    runtime.asked.clear()
    reply = editor.ask("remask/nextEdit", {"uri": URI, "version": 2})
    await runtime.asked.wait()
    editor.change(EDITED.replace("h)", "height)"), 3)
    runtime.may_answer.set()
    assert await reply is None
    assert await ask(editor, version=2) is None


async def test_what_was_dismissed_does_not_come_again(editor: Editor) -> None:
    """Not after the same edit; after another one it does."""
    assert await ask(editor)
    editor.notify("remask/dismissNextEdit", {"uri": URI})
    assert await ask(editor) is None
    editor.change(EDITED + "# \n", 3)
    editor.change(EDITED, 4)
    assert await ask(editor, version=4) is None
    editor.change(TEXT.replace("(width", "(w"), 5)
    assert await ask(editor, version=5)


async def test_undo_takes_the_offer_with_it(editor: Editor) -> None:
    """What was taken back asks for nothing."""
    assert await ask(editor)
    editor.change(TEXT, 3)
    assert await ask(editor, version=3) is None


async def test_where_the_cursor_is_typed_at_nothing_is_offered(editor: Editor) -> None:
    """A place that holds the cursor is the user's."""
    assert await ask(editor, position={"line": 1, "character": 13}) is None


@pytest.mark.parametrize(
    "fault",
    [InfillFailed("runtime_died", "It died."), RuntimeUnavailable("None."), InfillFailed("x", "y")],
)
async def test_what_goes_wrong_is_not_shown(
    editor: Editor, runtime: FakeRuntime, fault: ServerFault
) -> None:
    """Nobody asked for it: there is no offer, and no message."""
    runtime.next_edit_reply = fault
    assert await ask(editor) is None
    assert "window/showMessage" not in editor.heard


async def test_an_engine_that_cannot_says_so_once(editor: Editor, runtime: FakeRuntime) -> None:
    """In the log, and never in the way."""
    runtime.next_edit_reply = InfillFailed("unsupported_pairing", "It can't tell.")
    assert await ask(editor) is None
    assert await ask(editor) is None
    told = [message["message"] for message in editor.heard["window/logMessage"]]
    assert told.count("It can't tell.") == 1


@pytest.mark.parametrize("ghost_text", [True, False])
async def test_who_wants_no_ghost_text_has_no_runtime_started(
    runtime: FakeRuntime, *, ghost_text: bool
) -> None:
    """A model may have to come down first, and it would do so unseen."""
    runtime.state = FakeState.STOPPED
    editor = Editor(runtime, {"nextEdit": {"debounceMs": 0}, "inline": {"enabled": ghost_text}})
    await editor.start(ASKING)
    editor.open(TEXT)
    editor.change(EDITED, 2)

    assert (await ask(editor) is not None) == ghost_text
    runtime.state = FakeState.RUNNING
    assert await ask(editor) is not None


async def test_it_can_be_switched_off(runtime: FakeRuntime) -> None:
    """Then the model is not asked."""
    editor = await started(runtime, enabled=False)
    editor.open(TEXT)
    editor.change(EDITED, 2)
    assert await ask(editor) is None
    assert not runtime.next_edit_requests


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\0b = 1\n", "ab\0 = 2\n"),
        ("width = 1\n" * 60_000, "breadth = 1\n" + "width = 1\n" * 59_999),
        ("x = 1\ny = 2\n" * 50, "x=1\nz=2\n" * 50),
        (TEXT, ""),
    ],
    ids=["binary", "large", "formatted", "emptied"],
)
async def test_bad_input_asks_for_nothing(runtime: FakeRuntime, before: str, after: str) -> None:
    """No offer, no message, and the model is not asked."""
    editor = await started(runtime)
    editor.open(before)
    editor.change(after, 2)
    assert await ask(editor) is None
    assert not runtime.next_edit_requests
    assert "window/showMessage" not in editor.heard


async def test_a_language_without_a_grammar_is_left_alone(runtime: FakeRuntime) -> None:
    """Whole words alone are no reason to change others."""
    editor = await started(runtime)
    editor.open(TEXT, language="cobol")
    editor.change(EDITED, 2)
    assert await ask(editor) is None


async def test_five_thousand_changes_at_once_are_one_edit(runtime: FakeRuntime) -> None:
    """However many steps a notification holds, it is looked at once."""
    editor = await started(runtime)
    editor.open("width = 1\n" * 5000)
    changes = [
        {
            "range": {
                "start": {"line": line, "character": 0},
                "end": {"line": line, "character": 5},
            },
            "text": "b",
        }
        for line in range(5000)
    ]
    document = {"uri": URI, "version": 2}
    editor.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})
    assert await ask(editor) is None


async def test_a_closed_document_has_none(editor: Editor) -> None:
    """It is answered, with nothing; opened again, it begins anew."""
    editor.close()
    assert await ask(editor) is None
    editor.open(EDITED, version=3)
    assert await ask(editor, version=3) is None


async def test_closing_a_document_ends_what_is_asked_of_it(runtime: FakeRuntime) -> None:
    """Nobody wants it any more, whether the client asks or the server by itself."""
    for capabilities in (ABLE, ASKING):
        editor = await started(runtime, capabilities)
        editor.open(TEXT)
        editor.change(EDITED, 2)
        runtime.may_answer.clear()
        runtime.asked.clear()
        reply = editor.ask("remask/nextEdit", {"uri": URI}) if capabilities is ASKING else None
        await runtime.asked.wait()
        editor.close()
        await editor.settle()
        assert runtime.cancelled[-1] == runtime.next_edit_requests[-1].id
        assert reply is None or await reply is None


async def test_other_clients_get_a_code_action(runtime: FakeRuntime) -> None:
    """The server asks by itself once it is quiet, and the light bulb has what was found."""
    editor = await started(runtime, ABLE)
    editor.open(TEXT)
    editor.change(EDITED, 2)
    await editor.settle()
    end = {"line": 2, "character": 0}
    params = {
        "textDocument": {"uri": URI},
        "range": {"start": end, "end": end},
        "context": {"diagnostics": []},
    }
    actions = await editor.request("textDocument/codeAction", params)
    action = next(one for one in actions if one["kind"] == "refactor.rewrite.remask.nextEdit")
    assert action["title"] == "Put right what the last edit left: 2 places"
    (change,) = action["edit"]["documentChanges"]
    assert change["textDocument"]["version"] == 2
    edits = [{"range": edit["range"], "text": edit["newText"]} for edit in change["edits"]]
    assert applied(EDITED, edits) == TEXT.replace("width", "breadth")
    editor.change(EDITED + "\n", 3)
    kinds = {one["kind"] for one in await editor.request("textDocument/codeAction", params)}
    assert "refactor.rewrite.remask.nextEdit" not in kinds


async def test_copilots_clients_are_answered_where_the_user_wants_it(runtime: FakeRuntime) -> None:
    """In their form; with what they send besides, and nothing where it is off."""
    for is_on in (True, False):
        editor = await started(runtime, ABLE, copilot=is_on)
        editor.open(TEXT)
        editor.notify("textDocument/didFocus", {"textDocument": {"uri": URI}})
        editor.change(EDITED, 2)
        params = {
            "textDocument": {"uri": URI, "version": 2},
            "position": {"line": 0, "character": 16},
            "context": {"triggerKind": 2},
        }
        reply = await editor.request("textDocument/copilotInlineEdit", params)
        assert bool(reply["edits"]) == is_on
        for edit in reply["edits"]:
            assert edit["textDocument"] == {"uri": URI, "version": 2}
            assert edit["text"] == "breadth"
        stale = params | {"textDocument": {"uri": URI, "version": 1}}
        assert await editor.request("textDocument/copilotInlineEdit", stale) == {"edits": []}
        for bad in ({}, params | {"textDocument": {"uri": 5}}, params | {"textDocument": "a"}):
            assert await editor.request("textDocument/copilotInlineEdit", bad) == {"edits": []}


CALLER = "from shapes import area\n\nprint(area(1, 2))\n"
OTHER = "file:///w/caller.py"


async def test_other_open_files_follow_where_the_user_wants_it(runtime: FakeRuntime) -> None:
    """What is bound in the file may be named in others; what is bound in a function is not."""
    for is_on in (True, False):
        editor = await started(runtime, otherFiles=is_on)
        editor.open(CALLER, uri=OTHER)
        editor.open(TEXT)
        editor.change(TEXT.replace("area", "surface"), 2)
        found = await ask(editor)
        assert bool(found) == is_on
        if found:
            assert found["uri"] == OTHER
            assert found["version"] == 1
            assert applied(CALLER, found["edits"]) == CALLER.replace("area", "surface")
            editor.notify("remask/dismissNextEdit", {"uri": URI})
            assert await ask(editor) is None
        editor.change(TEXT, 3)
        editor.change(EDITED.replace("width", "breadth"), 4)
        assert await ask(editor, version=4) is None


async def test_a_key_ends_the_search_in_other_files(runtime: FakeRuntime) -> None:
    """What is given up does not go on with the next file, nor end what is asked anew."""
    editor = await started(runtime, otherFiles=True)
    editor.open(CALLER, uri=OTHER)
    editor.open(TEXT + "\narea\n")
    editor.change(TEXT.replace("area", "surface") + "\narea\n", 2)
    runtime.may_answer.clear()
    runtime.asked.clear()
    first = editor.ask("remask/nextEdit", {"uri": URI})
    await runtime.asked.wait()
    second = editor.ask("remask/nextEdit", {"uri": URI})
    assert await first is None
    runtime.may_answer.set()
    found = await second
    assert found
    assert found["uri"] == ""
    assert len(runtime.next_edit_requests) == 2


async def test_an_offer_in_another_file_goes_with_what_caused_it(runtime: FakeRuntime) -> None:
    """Once that is undone, or closed, the other file is right as it is."""
    for end in ("undone", "closed"):
        editor = await started(runtime, ABLE, otherFiles=True)
        editor.open(CALLER, uri=OTHER)
        editor.open(TEXT)
        editor.change(TEXT.replace("area", "surface"), 2)
        await editor.settle()
        assert await kinds_offered(editor, OTHER) == ["refactor.rewrite.remask.nextEdit"]
        if end == "undone":
            editor.change(TEXT, 3)
        else:
            editor.close()
        assert await kinds_offered(editor, OTHER) == []


async def test_a_fault_of_our_own_is_no_error_to_the_editor(
    editor: Editor, runtime: FakeRuntime
) -> None:
    """It is logged, and there is no offer."""
    runtime.next_edit_reply = ZeroDivisionError("a bug")
    assert await ask(editor) is None
    assert "window/showMessage" not in editor.heard


async def kinds_offered(editor: Editor, uri: str) -> list[str]:
    """Return the kinds of the code actions that come of a next edit."""
    start = {"line": 0, "character": 0}
    params = {
        "textDocument": {"uri": uri},
        "range": {"start": start, "end": start},
        "context": {"diagnostics": [], "only": ["refactor.rewrite.remask.nextEdit"]},
    }
    return [one["kind"] for one in await editor.request("textDocument/codeAction", params)]
