"""Ghost text."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from support.editor import URI, Editor, Refused, at
from support.fake_runtime import FakeRuntime, FakeState, finished

from lsp_server.errors import InfillFailed, RuntimeUnavailable
from model_runtime.protocol import LEAST_CONFIDENCE, Notice, Stretch

INVOKED, AUTOMATIC = 1, 2
METHOD = "textDocument/inlineCompletion"


def params(
    line: int, character: int, trigger: int = INVOKED, uri: str = URI, **context: Any
) -> dict[str, Any]:
    """Return the parameters of a request."""
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": trigger, **context},
    }


async def test_it_is_announced(runtime: FakeRuntime) -> None:
    """Pygls leaves the capability out unless it is registered with options."""
    capabilities = await Editor(runtime).start()

    assert capabilities["inlineCompletionProvider"] == {}


async def test_a_cursor_gets_an_insertion(editor: Editor) -> None:
    """The item's range is the cursor's place, and the model saw what stands around it."""
    editor.open("def f(a):\n    \nx = 1\n")

    (item,) = await editor.request(METHOD, params(1, 4))

    assert item.pop("command")["command"] == "remask.accepted"
    assert item == {"insertText": "return 1", "filterText": "return 1", "range": at(1, 4)}
    (request,) = editor.runtime.requests
    assert (request.prefix, request.suffix) == ("def f(a):\n    ", "\nx = 1\n")
    assert (request.lane, request.document, request.stream) == ("inline", URI, False)
    assert request.may_glance
    assert request.spans[0].single_line


async def test_the_completion_menus_entry_counts_as_typed(editor: Editor) -> None:
    """The ghost text goes on from what the menu would insert."""
    editor.open("x = pr\n")
    selected = {"range": at(0, 4, 6), "text": "print"}

    (item,) = await editor.request(METHOD, params(0, 6, selectedCompletionInfo=selected))

    assert editor.runtime.requests[0].prefix == "x = print"
    assert item["insertText"] == "printreturn 1"
    assert item["range"] == at(0, 4, 6)


async def test_alternatives_become_items(runtime: FakeRuntime) -> None:
    """The same text twice, or no text at all, is no alternative."""

    def several(request: Any) -> Any:
        one = finished(request, "a")
        more = [finished(request, text).alternatives[0] for text in ("b", "a", "")]
        values = {field: getattr(one, field) for field in one.__struct_fields__}
        return type(one)(**values | {"alternatives": (*one.alternatives, *more)})

    runtime.reply = several
    editor = Editor(runtime)
    await editor.start()
    editor.open("x = \n")

    items = await editor.request(METHOD, params(0, 4))

    assert [item["insertText"] for item in items] == ["a", "b"]


async def test_a_model_that_comes_down_is_seen_and_waited_for(editor: Editor) -> None:
    """The first request has all the time that a download takes; how far it is, is shown."""
    runtime = editor.runtime
    editor.open("x = \n")
    runtime.first_report = lambda request: Notice(id=request.id, text="Downloading m (12%)")
    runtime.may_answer.clear()
    reply = editor.ask(METHOD, params(0, 4))
    shown = await editor.hear("$/progress")
    runtime.may_answer.set()

    assert [item["insertText"] for item in await reply] == ["return 1"]
    assert (shown["value"]["title"], shown["value"]["message"]) == ("Remask", "Downloading m (12%)")
    texts = [status["text"] for status in editor.heard["remask/didChangeStatus"]]
    assert texts[-1] == ""
    assert "Downloading m (12%)" in texts

    await editor.request(METHOD, params(0, 3))
    runtime.become(FakeState.STOPPED)
    await editor.request(METHOD, params(0, 2))
    assert [request.deadline_s for request in runtime.requests] == [None, 20.0, None]


async def test_a_newer_request_ends_the_older(editor: Editor) -> None:
    """The older one is answered with nothing, at once, though its client did not cancel it."""
    editor.open("x = \n")
    editor.runtime.may_answer.clear()
    older = editor.ask(METHOD, params(0, 3))
    await editor.runtime.asked.wait()

    newer = editor.ask(METHOD, params(0, 4))
    assert await older is None
    editor.runtime.may_answer.set()

    assert len(await newer) == 1
    assert editor.runtime.cancelled == [editor.runtime.requests[0].id]


async def test_documents_do_not_end_each_others_requests(editor: Editor) -> None:
    """Superseding is a document's own affair."""
    other = "file:///w/b.py"
    editor.open("x = \n")
    editor.open("y = \n", other)
    editor.runtime.may_answer.clear()

    replies = [editor.ask(METHOD, params(0, 4, uri=uri)) for uri in (URI, other)]
    await editor.runtime.asked.wait()
    editor.runtime.may_answer.set()

    assert [len(reply) for reply in await asyncio.gather(*replies)] == [1, 1]


async def test_cancelling_a_request_cancels_the_infill(editor: Editor) -> None:
    """The client's own cancel is answered as the protocol wants it."""
    editor.open("x = \n")
    editor.runtime.may_answer.clear()
    reply = editor.ask(METHOD, params(0, 4))
    await editor.runtime.asked.wait()

    editor.cancel_last()

    with pytest.raises(Refused, match="-32800"):
        await reply
    assert len(editor.runtime.cancelled) == 1


async def test_closing_the_document_ends_its_request(editor: Editor) -> None:
    """Nobody is left to see the ghost text."""
    editor.open("x = \n")
    editor.runtime.may_answer.clear()
    reply = editor.ask(METHOD, params(0, 4))
    await editor.runtime.asked.wait()

    editor.close()

    assert await reply is None
    assert len(editor.runtime.cancelled) == 1


async def test_typing_on_drops_the_result(editor: Editor) -> None:
    """A fill for another text is not shown."""
    editor.open("x = \n")
    editor.runtime.may_answer.clear()
    reply = editor.ask(METHOD, params(0, 4))
    await editor.runtime.asked.wait()

    editor.change("x = 1\n", 2)
    editor.runtime.may_answer.set()

    assert await reply is None


async def test_typing_on_in_the_pause_asks_no_model(editor: Editor) -> None:
    """An automatic request waits for a pause; when it ends, the document has moved on."""
    editor.settings = {"inline": {"debounceMs": 1}}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.settle()
    editor.open("x = \n")
    reply = editor.ask(METHOD, params(0, 4, AUTOMATIC))
    await editor.turn()

    editor.change("x = 1\n", 2)

    assert await reply is None
    assert editor.runtime.requests == []


async def test_an_automatic_request_far_from_the_line_end_asks_no_model(editor: Editor) -> None:
    """Ghost text in front of much text is noise, unless asked for."""
    editor.open("x = [1, 2, 3, 4, 5]\n")

    assert await editor.request(METHOD, params(0, 4, AUTOMATIC)) is None
    assert editor.runtime.requests == []
    assert len(await editor.request(METHOD, params(0, 4, INVOKED))) == 1


@pytest.mark.parametrize(
    "fault",
    [
        InfillFailed("deadline", "It took too long."),
        InfillFailed("model_load_failed", "No weights."),
        RuntimeUnavailable("It does not start."),
    ],
)
async def test_failures_never_pop_up(editor: Editor, fault: Exception) -> None:
    """Typing goes on; the status and one line of the log say why nothing comes."""
    editor.open("x = \n")
    editor.runtime.reply = lambda _: fault

    replies = [await editor.request(METHOD, params(0, 4)) for _ in range(3)]

    assert replies == [None, None, None]
    assert "window/showMessage" not in editor.heard
    assert [line["message"] for line in editor.heard["window/logMessage"]] == [str(fault)]
    assert editor.heard["remask/didChangeStatus"][-1]["text"] == str(fault)


async def test_an_empty_suggestion_is_explained(editor: Editor) -> None:
    """Nothing came, and the status says why; with the next suggestion that is over."""
    editor.open("x = \n")
    editor.runtime.reply = lambda request: finished(request, "")

    assert await editor.request(METHOD, params(0, 4)) == []
    assert "suggests nothing" in editor.heard["remask/didChangeStatus"][-1]["text"]

    editor.runtime.reply = lambda request: finished(request, "1")
    await editor.request(METHOD, params(0, 4))
    status = editor.heard["remask/didChangeStatus"][-1]
    assert (status["text"], status["tokensPerSecond"]) == ("", 8.0)


@pytest.mark.parametrize(
    "settings", [{"inline": {"enabled": False}}, {"disabledLanguages": ["python"]}]
)
async def test_it_can_be_turned_off(runtime: FakeRuntime, settings: dict[str, Any]) -> None:
    """Everywhere, or for a language."""
    editor = Editor(runtime, settings)
    await editor.start()
    editor.open("x = \n")

    assert await editor.request(METHOD, params(0, 4)) is None
    assert runtime.requests == []


async def test_secrets_are_not_sent(editor: Editor) -> None:
    """Neither as the file being edited nor as context of another."""
    editor.open("TOKEN=\n", "file:///w/.env", "shellscript")
    editor.open("x = \n")

    assert await editor.request(METHOD, params(0, 6, uri="file:///w/.env")) is None
    await editor.request(METHOD, params(0, 4))

    (request,) = editor.runtime.requests
    assert "TOKEN" not in str(request)


@pytest.mark.parametrize("text", ["", "\n", "x"])
async def test_the_end_of_any_document_works(editor: Editor, text: str) -> None:
    """Empty documents and last lines without an end included."""
    editor.open(text)
    last = text.count("\n")

    (item,) = await editor.request(METHOD, params(last, len(text.rsplit("\n", 1)[-1])))

    assert item["insertText"] == "return 1"


async def test_writing_along_asks_no_model(editor: Editor) -> None:
    """What is left of a suggestion is the suggestion, at once; by key the model is asked anew."""
    editor.open("x = \n")
    await editor.request(METHOD, params(0, 4, AUTOMATIC))
    editor.change("x = return\n", 2)

    (item,) = await editor.request(METHOD, params(0, 10, AUTOMATIC))

    assert item.pop("command")["command"] == "remask.accepted"
    assert item == {"insertText": " 1", "filterText": " 1", "range": at(0, 10)}
    assert len(editor.runtime.requests) == 1
    await editor.request(METHOD, params(0, 10, INVOKED))
    assert len(editor.runtime.requests) == 2


@pytest.mark.parametrize("text", ["x = retUrn\n", "x = return \ny\n", "x = return 1\n"])
async def test_writing_something_else_asks_the_model(editor: Editor, text: str) -> None:
    """Another word, another text behind the cursor, or all of it there: that is a new question."""
    editor.open("x = \n")
    await editor.request(METHOD, params(0, 4, AUTOMATIC))
    editor.change(text, 2)

    await editor.request(METHOD, params(0, text.index("\n"), AUTOMATIC))

    assert len(editor.runtime.requests) == 2


async def test_other_settings_ask_the_model(editor: Editor) -> None:
    """What was suggested under earlier settings is not what the user wants now."""
    editor.open("x = \n")
    await editor.request(METHOD, params(0, 4, AUTOMATIC))
    editor.settings = {"sampler": "entropy", "inline": {"debounceMs": 0}}
    editor.notify("workspace/didChangeConfiguration", {"settings": None})
    await editor.settle()

    await editor.request(METHOD, params(0, 4, AUTOMATIC))

    assert [request.sampler for request in editor.runtime.requests] == ["", "entropy"]


async def test_writing_along_ends_an_older_request(editor: Editor) -> None:
    """The model need not finish what nobody waits for."""
    editor.open("x = \n")
    await editor.request(METHOD, params(0, 4, AUTOMATIC))
    editor.runtime.may_answer.clear()
    editor.runtime.asked.clear()
    older = editor.ask(METHOD, params(0, 4, INVOKED))
    await editor.runtime.asked.wait()
    editor.change("x = r\n", 2)

    assert len(await editor.request(METHOD, params(0, 5, AUTOMATIC))) == 1
    assert await older is None
    assert len(editor.runtime.cancelled) == 1


@pytest.mark.parametrize("eagerness", ["quiet", "balanced", "eager"])
async def test_only_what_is_sure_enough_is_asked_for_unasked(
    runtime: FakeRuntime, eagerness: Any
) -> None:
    """The setting says how sure; by key everything is wanted."""
    editor = Editor(runtime, {"inline": {"eagerness": eagerness, "debounceMs": 0}})
    await editor.start()
    editor.open("x = \n")

    await editor.request(METHOD, params(0, 4, AUTOMATIC))
    await editor.request(METHOD, params(0, 4, INVOKED))

    wanted = [request.least_confidence for request in runtime.requests]
    assert wanted == [LEAST_CONFIDENCE[eagerness], 0.0]


async def test_keeping_quiet_is_told(runtime: FakeRuntime) -> None:
    """Nothing is shown, and the status says that it is for want of certainty."""

    def doubtful(request: Any) -> Any:
        whole = finished(request, "")
        one = msgspec.structs.replace(whole.alternatives[0], finish="doubt")
        return msgspec.structs.replace(whole, alternatives=(one,))

    runtime.reply = doubtful
    editor = Editor(runtime)
    await editor.start()
    editor.open("x = \n")

    assert await editor.request(METHOD, params(0, 4, AUTOMATIC)) == []

    assert "Not sure enough" in editor.heard["remask/didChangeStatus"][-1]["text"]


@pytest.mark.parametrize(
    ("began", "typed", "n_asked"),
    [(0.1, "x = (\n", 1), (0.1, "x = y\n", 2), (0.44, "x = (\n", 2), (0.1, "y = (\n", 2)],
)
async def test_marks_behind_a_hopeless_answer_are_not_asked_for(
    runtime: FakeRuntime, began: float, typed: str, n_asked: int
) -> None:
    """A word that begins is, and so is what follows an answer that was nearly sure."""

    def doubtful(request: Any) -> Any:
        whole = finished(request, "")
        sure = ((Stretch(n_chars=0, confidence=began),),)
        one = msgspec.structs.replace(whole.alternatives[0], finish="doubt", confidence=sure)
        return msgspec.structs.replace(whole, alternatives=(one,))

    runtime.reply = doubtful
    editor = Editor(runtime)
    await editor.start()
    editor.open("x = \n")
    assert await editor.request(METHOD, params(0, 4, AUTOMATIC)) == []
    editor.change(typed, 2)

    assert not await editor.request(METHOD, params(0, 5, AUTOMATIC))

    assert len(runtime.requests) == n_asked
    # By key it is.
    await editor.request(METHOD, params(0, 5, INVOKED))
    assert len(runtime.requests) == n_asked + 1


@pytest.mark.parametrize(
    "text",
    ["foo(, other_argument)\n", "x =(  # a comment of some length\n", "<p a=(></p>\n", "f(());\n"],
)
async def test_closers_tags_and_comments_do_not_count(editor: Editor, text: str) -> None:
    """Something may well be wanted in front of them."""
    editor.open(text)

    assert await editor.request(METHOD, params(0, text.index("(") + 1, AUTOMATIC))


@pytest.mark.parametrize("said", ["  ", "\n\n", "print(a)", "print(a)\n"])
async def test_what_stands_there_is_not_suggested(editor: Editor, said: str) -> None:
    """Blanks, and the line above."""
    editor.open("print(a)\n\n")
    editor.runtime.reply = lambda request: finished(request, said)

    assert await editor.request(METHOD, params(1, 0)) == []
