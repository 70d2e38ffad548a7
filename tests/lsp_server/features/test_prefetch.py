"""The ghost text behind a suggestion, made before that is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.editor import URI, Editor
from support.fake_runtime import FakeRuntime, finished

from lsp_server.errors import InfillFailed

if TYPE_CHECKING:
    from model_runtime.protocol import Finished, InfillRequest

METHOD = "textDocument/inlineCompletion"


def params(character: int, line: int = 0) -> dict[str, Any]:
    """Return the parameters of an automatic request."""
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    }


def numbered(request: InfillRequest) -> Finished:
    """Fill with a digit more than the line has."""
    digits = request.prefix.rpartition(" ")[2]
    return finished(request, str(len(digits)))


@pytest.fixture
async def editor() -> Editor:
    """Return an editor whose user wants it."""
    editor = Editor(FakeRuntime(numbered), {"inline": {"debounceMs": 0, "prefetch": True}})
    await editor.start()
    return editor


async def shown(editor: Editor, text: str, version: int) -> str:
    """Return the ghost text at the end of a first line."""
    editor.change(text, version)
    (item,) = await editor.request(METHOD, params(text.index("\n")))
    inserted: str = item["insertText"]
    return inserted


async def shown_while_the_next_waits(editor: Editor) -> None:
    """Have a first suggestion shown, and the one behind it asked for and not answered."""

    def reply(request: InfillRequest) -> Finished:
        editor.runtime.may_answer.clear()
        return numbered(request)

    editor.runtime.reply = reply
    editor.open("x = \n")
    await shown(editor, "x = \n", 2)
    assert await asked(editor, 2) == ["x = ", "x = 0"]


async def asked(editor: Editor, n_requests: int) -> list[str]:
    """Wait until the model was asked so often; return the text before each place."""
    runtime = editor.runtime
    while len(runtime.requests) < n_requests:
        runtime.asked.clear()
        await runtime.asked.wait()
    return [request.prefix for request in runtime.requests]


@pytest.mark.parametrize("rest", ["\n", "\nmore\n"])
async def test_what_is_accepted_has_the_next_one_ready(editor: Editor, rest: str) -> None:
    """It was asked for with the first one shown, and only then; no model is asked again."""
    editor.open(f"x = {rest}")
    assert await shown(editor, f"x = {rest}", 2) == "0"
    await editor.settle()
    assert [one.prefix for one in editor.runtime.requests] == ["x = ", "x = 0"]
    editor.runtime.may_answer.clear()

    assert await shown(editor, f"x = 0{rest}", 3) == "1"
    assert [one.suffix for one in editor.runtime.requests] == [rest] * len(editor.runtime.requests)


async def test_one_on_its_way_is_waited_for(editor: Editor) -> None:
    """Who accepts sooner than the model is done gets that very answer."""
    await shown_while_the_next_waits(editor)
    editor.change("x = 0\n", 3)
    answer = editor.ask(METHOD, params(5))
    for _ in range(10):
        await editor.turn()
    assert await asked(editor, 2) == ["x = ", "x = 0"]

    editor.runtime.may_answer.set()

    assert [item["insertText"] for item in await answer] == ["1"]
    assert editor.runtime.cancelled == []


@pytest.mark.parametrize("text", ["x = 7\n", "x = 0\nmore\n", "y = 0\n"])
async def test_who_goes_another_way_has_it_cancelled(editor: Editor, text: str) -> None:
    """The model need not finish what nobody wants, and what is shown is for the text as it is."""
    await shown_while_the_next_waits(editor)
    editor.change(text, 3)
    answer = editor.ask(METHOD, params(text.index("\n")))
    assert await asked(editor, 3) == ["x = ", "x = 0", text.partition("\n")[0]]
    assert editor.runtime.cancelled == [editor.runtime.requests[1].id]

    editor.runtime.may_answer.set()

    assert [item["insertText"] for item in await answer] == ["1"]


async def test_other_settings_make_it_anew(editor: Editor) -> None:
    """What was made under earlier settings is not what the user wants now."""
    editor.open("x = \n")
    await shown(editor, "x = \n", 2)
    await editor.settle()
    editor.settings = {"sampler": "entropy", "inline": {"debounceMs": 0}}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.settle()

    assert await shown(editor, "x = 0\n", 3) == "1"
    assert [one.sampler for one in editor.runtime.requests] == ["", "", "entropy"]


async def test_its_failure_is_nobodys(editor: Editor) -> None:
    """The model is asked again where the answer is wanted."""
    fails = iter([False, True, False, False])

    def reply(request: InfillRequest) -> Finished | Exception:
        return InfillFailed("internal", "no") if next(fails) else numbered(request)

    editor.runtime.reply = reply
    editor.open("x = \n")
    await shown(editor, "x = \n", 2)
    await editor.settle()

    assert await shown(editor, "x = 0\n", 3) == "1"


async def test_closing_the_document_cancels_it(editor: Editor) -> None:
    """There is nothing left to accept it in."""
    await shown_while_the_next_waits(editor)
    editor.close()
    await editor.settle()

    assert editor.runtime.cancelled == [editor.runtime.requests[-1].id]


async def test_a_carriage_return_makes_no_difference() -> None:
    """The editor puts a text of several lines in with the document's own line ends."""
    runtime = FakeRuntime(lambda request: finished(request, "(\n1)"))
    editor = Editor(runtime, {"inline": {"debounceMs": 0, "prefetch": True, "lines": "many"}})
    await editor.start()
    editor.open("x = \r\n")
    await editor.request(METHOD, params(4))
    await editor.settle()
    runtime.may_answer.clear()
    editor.change("x = (\r\n1)\r\n", 2)

    assert len(await editor.request(METHOD, params(2, line=1))) == 1


async def test_nothing_is_made_ahead_unless_wanted() -> None:
    """It takes power, and at a remote engine money."""
    editor = Editor(FakeRuntime(numbered), {"inline": {"debounceMs": 0}})
    await editor.start()
    editor.open("x = \n")
    await shown(editor, "x = \n", 2)
    await editor.settle()

    assert len(editor.runtime.requests) == 1


async def test_who_accepts_need_not_pause() -> None:
    """The pause is for whoever is typing; nobody could wait for this one."""
    editor = Editor(FakeRuntime(numbered), {"inline": {"debounceMs": 3_600_000}})
    await editor.start()
    editor.open("x = \n")
    by_key = params(4) | {"context": {"triggerKind": 1}}
    (item,) = await editor.request(METHOD, by_key)
    assert item["insertText"] == "0"

    assert await shown(editor, "x = 0\n", 2) == "1"
