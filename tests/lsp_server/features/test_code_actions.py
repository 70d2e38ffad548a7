"""Code actions: the list, and what becomes of one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from support.editor import ABLE, URI, Editor, Refused, at
from support.fake_runtime import FakeRuntime, finished

from lsp_server.errors import InfillFailed, RuntimeUnavailable
from lsp_server.fill.filled import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "def f():\n    return 0\n"
INFILL, KIND = "refactor.rewrite.remask.infill", "refactor.rewrite.remask"


async def actions(
    editor: Editor, place: Any, only: list[str] | None = None, uri: str = URI
) -> list[Any]:
    """Return the actions for a range."""
    context: dict[str, Any] = {"diagnostics": [], **({"only": only} if only else {})}
    params = {"textDocument": {"uri": uri}, "range": place, "context": context}
    found: list[Any] = await editor.request("textDocument/codeAction", params)
    return found


async def titles(editor: Editor, place: Any, only: list[str] | None = None) -> list[str]:
    """Return the titles of the actions for a range."""
    return [action["title"] for action in await actions(editor, place, only)]


async def first_action(editor: Editor, text: str = TEXT) -> Any:
    """Open a document and return the action that infills its second line's text."""
    editor.open(text)
    return (await actions(editor, at(1, 4, 12), [INFILL]))[0]


async def test_the_list_asks_no_model(editor: Editor) -> None:
    """A selection gets what can be done with it, at once and without an edit."""
    editor.open(TEXT)

    found = await actions(editor, at(1, 4, 12))

    assert [action["title"] for action in found] == [
        "Infill selection",
        "Rewrite selection",
        "Repair selection",
    ]
    assert all(action["kind"].startswith(KIND) for action in found)
    assert not any("edit" in action or "command" in action for action in found)
    assert editor.runtime.requests == []


async def test_a_cursor_gets_the_syntax_around_it(editor: Editor) -> None:
    """Nothing selected means here, or a node around it, each under a kind of its own."""
    editor.open(TEXT)

    found = await actions(editor, at(1, 11))

    assert [(action["title"], action["kind"]) for action in found] == [
        ("Infill here", INFILL),
        ("Infill expression", f"{INFILL}.expression"),
        ("Infill statement", f"{INFILL}.statement"),
        ("Infill function body", f"{INFILL}.body"),
    ]


async def test_only_what_makes_sense_is_offered(editor: Editor) -> None:
    """Blanks can't be rewritten; a place without a function has no body."""
    editor.open("import os\n   \n")

    assert await titles(editor, at(1, 0, 2)) == ["Infill selection"]
    assert "Infill function body" not in await titles(editor, at(0, 3))


async def test_holes_are_offered_where_they_are(editor: Editor) -> None:
    """Those of the selection, or of the whole document where nothing is selected."""
    editor.open("a = ___\nb = ___\n")

    assert "Fill 1 hole in selection" in await titles(editor, at(0, 0, 7))
    assert "Fill 2 holes in document" in await titles(editor, at(0, 0))


@pytest.mark.parametrize(
    ("only", "n_found"),
    [
        (["refactor"], 3),
        (["refactor.rewrite"], 3),
        ([KIND], 3),
        ([INFILL], 1),
        ([""], 3),
        (["quickfix"], 0),
        (["refactor.rewrite.remasked"], 0),
        (["source.organizeImports", INFILL], 1),
    ],
)
async def test_only_the_kinds_asked_for_are_offered(
    editor: Editor, only: list[str], n_found: int
) -> None:
    """A kind stands for itself and everything below it."""
    editor.open(TEXT)

    assert len(await actions(editor, at(1, 4, 12), only)) == n_found


@pytest.mark.parametrize(
    ("uri", "text", "place", "says"),
    [
        ("file:///w/.env", "A=1\n", at(0, 0, 1), "may hold secrets"),
        ("file:///w/a.bin", "a\0b", at(0, 0, 1), "is binary"),
        (URI, "x" * (1024 * 1024 + 1), at(0, 0, 1), "more than the limit"),
        (URI, "a\n", at(7, 0, 1), "Line 8 is outside the document"),
        (
            URI,
            "abc\n",
            {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 1}},
            "ends before it starts",
        ),
    ],
)
async def test_what_can_not_be_worked_on_says_why(
    editor: Editor, uri: str, text: str, place: Any, says: str
) -> None:
    """One action, disabled, with the reason."""
    editor.open(text, uri)

    (action,) = await actions(editor, place, uri=uri)

    assert says in action["disabled"]["reason"]


async def test_an_editor_that_shows_no_disabled_actions_gets_none(runtime: FakeRuntime) -> None:
    """Without the capability the reason would look like an offer."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["textDocument"]["codeAction"]["disabledSupport"]
    editor = Editor(runtime)
    await editor.start(capabilities)
    editor.open("a\0b")

    assert await actions(editor, at(0, 0)) == []


async def test_resolve_fills(editor: Editor) -> None:
    """The action comes back as it was, with the smallest edit and the version it is for."""
    action = await first_action(editor)

    resolved = await editor.request("codeAction/resolve", action)

    edit = resolved.pop("edit")
    assert resolved == action
    (change,) = edit["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    assert change["edits"] == [{"range": at(1, 11, 12), "newText": "1"}]
    (request,) = editor.runtime.requests
    assert (request.prefix, request.suffix) == ("def f():\n    ", "\n")
    assert [span.text for span in request.spans] == ["return 0"]


async def test_resolve_finds_the_scope(editor: Editor) -> None:
    """An action for a body fills the body."""
    editor.open(TEXT)
    (action,) = await actions(editor, at(0, 5), [f"{INFILL}.body"])

    await editor.request("codeAction/resolve", action)

    assert [span.text for span in editor.runtime.requests[0].spans] == ["return 0"]


async def test_an_editor_that_can_not_resolve_gets_a_command(runtime: FakeRuntime) -> None:
    """The command's argument is what the data would have been."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["textDocument"]["codeAction"]["resolveSupport"]
    editor = Editor(runtime)
    await editor.start(capabilities)

    action = await first_action(editor)
    result = await editor.request("workspace/executeCommand", action["command"])

    assert "data" not in action
    assert result == {"applied": True, "reason": ""}


def edit_it(editor: Editor) -> None:
    """Type something."""
    editor.change("def f(b):\n    return 0\n", 2)


@pytest.mark.parametrize("move", [edit_it, Editor.close])
async def test_a_stale_result_is_dropped_quietly(
    editor: Editor, move: Callable[[Editor], None]
) -> None:
    """Edited or closed while the model works: no edit, a line in the log, no popup."""
    action = await first_action(editor)
    editor.runtime.may_answer.clear()
    reply = editor.ask("codeAction/resolve", action)
    await editor.runtime.asked.wait()

    move(editor)
    editor.runtime.may_answer.set()

    assert "edit" not in await reply
    assert "window/showMessage" not in editor.heard
    assert "while the model worked" in editor.heard["window/logMessage"][-1]["message"]


async def test_a_stale_action_asks_no_model(editor: Editor) -> None:
    """An action of an older version is not even begun."""
    action = await first_action(editor)
    edit_it(editor)

    assert "edit" not in await editor.request("codeAction/resolve", action)
    assert editor.runtime.requests == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (InfillFailed("model_load_failed", "No weights. Run remask pull."), 1),
        (InfillFailed("runtime_died", "The runtime died; ask again."), 1),
        (RuntimeUnavailable("It does not start. See the log."), 1),
    ],
)
async def test_a_failure_is_said_once(editor: Editor, fault: Exception, kind: int) -> None:
    """The action comes back without an edit; the reason is shown, not an error reply."""
    action = await first_action(editor)
    editor.runtime.reply = lambda _: fault

    assert "edit" not in await editor.request("codeAction/resolve", action)
    assert editor.heard["window/showMessage"] == [{"type": kind, "message": str(fault)}]


async def test_a_bug_is_no_popup(editor: Editor, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected goes to the logs, with its traceback in ours."""
    action = await first_action(editor)
    editor.runtime.reply = lambda _: ZeroDivisionError("oops")

    assert "edit" not in await editor.request("codeAction/resolve", action)
    assert "window/showMessage" not in editor.heard
    assert "oops" in caplog.text


async def test_cancelling_a_request_cancels_the_infill(editor: Editor) -> None:
    """The model is freed, and the reply is the protocol's own for a cancelled request."""
    action = await first_action(editor)
    editor.runtime.may_answer.clear()
    reply = editor.ask("codeAction/resolve", action)
    await editor.runtime.asked.wait()

    editor.cancel_last()

    with pytest.raises(Refused, match="-32800"):
        await reply
    assert editor.runtime.cancelled == [editor.runtime.requests[0].id]


async def test_data_that_is_not_ours_is_refused(editor: Editor) -> None:
    """An action of another server, or of an older version of this one."""
    action = await first_action(editor)
    action["data"] = {"nonsense": 1}

    assert "edit" not in await editor.request("codeAction/resolve", action)
    assert "not one of Remask's" in editor.heard["window/showMessage"][0]["message"]


async def test_the_alternative_that_parses_wins(runtime: FakeRuntime) -> None:
    """The best-scored one comes second where it breaks the file."""

    def two(request: Any) -> Any:
        broken, sound = finished(request, "return ("), finished(request, "return 2")
        return type(broken)(
            **{field: getattr(broken, field) for field in broken.__struct_fields__}
            | {"alternatives": broken.alternatives + sound.alternatives}
        )

    runtime.reply = two
    editor = Editor(runtime)
    await editor.start()
    action = await first_action(editor)

    resolved = await editor.request("codeAction/resolve", action)

    (change,) = resolved["edit"]["documentChanges"]
    assert change["edits"][0]["newText"] == "2"


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 11), ("utf-16", 9), ("utf-32", 8)])
async def test_positions_are_in_the_clients_encoding(
    runtime: FakeRuntime, encoding: str, column: int
) -> None:
    """Astral characters before a selection shift it, each encoding in its own way."""
    editor = Editor(runtime)
    capabilities = {**ABLE, "general": {"positionEncodings": [encoding]}}
    await editor.start(capabilities)
    editor.open("s = '😀', 0\n")

    action = (await actions(editor, at(0, column, column + 2)))[0]
    resolved = await editor.request("codeAction/resolve", action)

    (change,) = resolved["edit"]["documentChanges"]
    assert change["edits"] == [{"range": at(0, column, column + 2), "newText": "return 1"}]
    assert editor.runtime.requests[0].spans[0].text == " 0"
    assert editor.runtime.requests[0].prefix == "s = '😀',"


async def test_a_diagnostic_gets_a_repair_of_its_lines(editor: Editor) -> None:
    """Its message goes to the model with the lines it points at, blanks around them left out."""
    editor.open("if x:\n    retrun x\n")
    diagnostic = {"range": at(1, 4, 10), "message": "name 'retrun' is not defined\nmore"}
    context = {"diagnostics": [diagnostic], "only": ["quickfix"]}
    params = {"textDocument": {"uri": URI}, "range": at(1, 4, 4), "context": context}

    (action,) = await editor.request("textDocument/codeAction", params)
    await editor.request("codeAction/resolve", action)

    assert action["title"] == "Repair: name 'retrun' is not defined"
    assert action["kind"] == "quickfix.remask.repair"
    assert action["diagnostics"][0]["range"] == diagnostic["range"]
    (request,) = editor.runtime.requests
    assert request.mode == "repair"
    assert request.instruction == diagnostic["message"]
    assert [span.text for span in request.spans] == ["retrun x"]


async def test_a_diagnostic_of_an_older_text_is_passed_over(editor: Editor) -> None:
    """One that points behind the document, or at blank lines, gets no repair."""
    editor.open("\nx = 1\n")
    diagnostics = [{"range": at(line, 0), "message": "old"} for line in (0, 9)]
    context = {"diagnostics": diagnostics, "only": ["quickfix"]}
    params = {"textDocument": {"uri": URI}, "range": at(1, 0), "context": context}

    assert await editor.request("textDocument/codeAction", params) == []


async def test_a_diagnostic_in_a_selection_goes_with_its_repair(editor: Editor) -> None:
    """What it says, and where it points, count for more than what the model thinks."""
    editor.open("def f():\n    b = 1\n    return c\n")
    diagnostic = {"range": at(2, 11, 12), "message": "undefined name 'c'"}
    selection = {"start": {"line": 1, "character": 4}, "end": {"line": 2, "character": 12}}
    context = {"diagnostics": [diagnostic], "only": [f"{KIND}.repair"]}
    params = {"textDocument": {"uri": URI}, "range": selection, "context": context}

    (repair,) = await editor.request("textDocument/codeAction", params)
    await editor.request("codeAction/resolve", repair)

    (request,) = editor.runtime.requests
    assert request.instruction == "undefined name 'c'"
    assert request.spans[0].text == "b = 1\n    return c"
    assert request.spans[0].told == (17, 18)


@pytest.mark.parametrize(("setting", "is_looked_at"), [("always", True), ("never", False)])
async def test_an_edit_that_is_to_be_looked_at_says_so(
    runtime: FakeRuntime, setting: str, *, is_looked_at: bool
) -> None:
    """In LSP's own words, to an editor that knows them."""
    capabilities = copy.deepcopy(ABLE)
    capabilities["workspace"]["workspaceEdit"]["changeAnnotationSupport"] = {}
    editor = Editor(runtime, {"review": setting})
    await editor.start(capabilities)

    resolved = await editor.request("codeAction/resolve", await first_action(editor))

    annotations = resolved["edit"].get("changeAnnotations", {})
    assert [one["needsConfirmation"] for one in annotations.values()] == [True] * is_looked_at
    (change,) = resolved["edit"]["documentChanges"]
    assert all(("annotationId" in edit) == is_looked_at for edit in change["edits"])


async def test_nothing_to_suggest_is_told(runtime: FakeRuntime) -> None:
    """Code that was selected is not replaced by an empty text."""
    runtime.reply = lambda request: finished(request, "")
    editor = Editor(runtime)
    await editor.start()

    resolved = await editor.request("codeAction/resolve", await first_action(editor))

    assert all(not change["edits"] for change in resolved["edit"]["documentChanges"])
    assert editor.heard["window/showMessage"][-1]["message"] == NOTHING
