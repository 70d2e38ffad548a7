"""How settings reach the server."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from support.editor import ABLE, URI, Editor, at

if TYPE_CHECKING:
    from support.fake_runtime import FakeRuntime


def unable() -> dict[str, Any]:
    """Return the capabilities of an editor that can't be asked for its settings."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["workspace"]["configuration"]
    del capabilities["workspace"]["didChangeConfiguration"]
    return capabilities


async def change(editor: Editor, settings: Any) -> None:
    """Tell the server that settings changed."""
    editor.notify("workspace/didChangeConfiguration", {"settings": settings})
    await editor.settle()


async def test_the_editor_is_asked(runtime: FakeRuntime) -> None:
    """Once it is initialized, for Remask's section, and again when they changed."""
    editor = Editor(runtime, {"model": "a"})
    await editor.start()
    assert editor.server.settings.model == "a"
    (registered,) = editor.heard["client/registerCapability"]
    assert registered["registrations"][0]["registerOptions"] == {"section": "remask"}

    editor.settings = {"sampler": "b"}
    await change(editor, None)

    assert (editor.server.settings.model, editor.server.settings.sampler) == ("", "b")
    assert editor.heard["workspace/configuration"][-1] == {"items": [{"section": "remask"}]}


async def test_an_editor_that_can_not_be_asked_tells(runtime: FakeRuntime) -> None:
    """With the section alone, or with all settings around it."""
    editor = Editor(runtime)
    await editor.start(unable())

    await change(editor, {"model": "a"})
    assert editor.server.settings.model == "a"
    await change(editor, {"remask": {"model": "b"}})

    assert editor.server.settings.model == "b"
    assert "workspace/configuration" not in editor.heard


async def test_initialization_options_are_the_base(runtime: FakeRuntime) -> None:
    """Later settings are laid over them."""
    editor = Editor(runtime, {"model": "b"})

    await editor.start(initializationOptions={"model": "a", "sampler": "s"})

    assert (editor.server.settings.model, editor.server.settings.sampler) == ("b", "s")


async def test_a_mistake_is_told_once(runtime: FakeRuntime) -> None:
    """However often the same settings come."""
    editor = Editor(runtime, {"stregth": 1})
    await editor.start()
    await change(editor, None)

    (line,) = editor.heard["window/logMessage"]
    assert "Unknown setting remask.stregth" in line["message"]


async def test_a_request_waits_for_the_settings(runtime: FakeRuntime) -> None:
    """They may forbid what is asked for, and come after it."""
    editor = Editor(runtime, {"disabledLanguages": ["python"]})
    await editor.request("initialize", {"processId": None, "rootUri": None, "capabilities": ABLE})
    editor.notify("initialized", {})
    editor.open("x = 0\n")
    cursor = {"textDocument": {"uri": URI}, "position": at(0, 4)["start"]}

    reply = await editor.request(
        "textDocument/inlineCompletion", {**cursor, "context": {"triggerKind": 1}}
    )

    assert reply is None
    assert runtime.requests == []


async def test_an_editor_that_never_answers_is_not_waited_for(runtime: FakeRuntime) -> None:
    """What is asked is answered by the defaults, and a change is still followed."""
    editor = Editor(runtime)
    editor.server.settings_wait_s = 0.0
    editor.silent.add("workspace/configuration")
    params = {"processId": None, "rootUri": "file:///w", "capabilities": ABLE}
    await editor.request("initialize", params)
    editor.notify("initialized", {})
    await editor.hear("client/registerCapability")
    editor.open("x = 0\n")
    command = {"command": "remask.infill", "arguments": [{"uri": URI, "ranges": [at(0, 4, 5)]}]}

    result = await editor.request("workspace/executeCommand", command)

    assert result["applied"] is True
    said = [line["message"] for line in editor.heard["window/logMessage"]]
    assert said == ["The editor does not tell its settings. Until it does, defaults count."]

    editor.silent.clear()
    editor.settings = {"model": "late"}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.turn()
    while editor.server.settings.model != "late":
        await editor.turn()


async def test_an_editor_that_will_not_answer_leaves_the_defaults(runtime: FakeRuntime) -> None:
    """It is said once, and the server goes on."""
    editor = Editor(runtime)
    editor.refused |= {"workspace/configuration", "client/registerCapability"}
    await editor.start(initializationOptions={"model": "a"})

    assert editor.server.settings.model == "a"
    said = [line["message"] for line in editor.heard["window/logMessage"]]
    assert len(said) == 2
