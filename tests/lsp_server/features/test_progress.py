"""What the user sees while the model works."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
from support.editor import ABLE, URI, Editor, at
from support.fake_runtime import FakeState

from model_runtime.protocol import Notice, Status

if TYPE_CHECKING:
    import asyncio

    from support.fake_runtime import FakeRuntime


def begin_fill(editor: Editor) -> asyncio.Future[Any]:
    """Have something filled that waits for leave."""
    editor.open("x = 0\n")
    editor.runtime.may_answer.clear()
    params = {
        "command": "remask.infill",
        "arguments": [{"uri": URI, "ranges": [at(0, 4, 5)]}],
    }
    return editor.ask("workspace/executeCommand", params)


async def test_a_progress_shows_the_draft(editor: Editor) -> None:
    """It begins with the first canvas, can be cancelled, and ends with the request."""
    reply = begin_fill(editor)
    begun = await editor.hear("$/progress")

    editor.runtime.may_answer.set()
    await reply

    (created,) = editor.heard["window/workDoneProgress/create"]
    assert isinstance(created["token"], str)
    assert begun["token"] == created["token"]
    assert begun["value"] == {
        "kind": "begin",
        "title": "Remask: infill",
        "message": "░░",
        "cancellable": True,
    }
    assert editor.heard["$/progress"][-1]["value"] == {"kind": "end"}
    assert editor.server.work_done_progress.tokens == {}


async def test_the_users_cancel_ends_the_request(editor: Editor) -> None:
    """The model is freed; nothing is applied, and nothing more is said."""
    reply = begin_fill(editor)
    begun = await editor.hear("$/progress")

    editor.notify("window/workDoneProgress/cancel", {"token": begun["token"]})

    assert await reply == {"applied": False, "reason": "Cancelled."}
    assert len(editor.runtime.cancelled) == 1
    assert "window/showMessage" not in editor.heard
    assert editor.heard["$/progress"][-1]["value"] == {"kind": "end"}
    assert editor.server.work_done_progress.tokens == {}


async def test_a_quick_answer_shows_no_progress(editor: Editor) -> None:
    """The request is over before the client agreed to one."""
    editor.open("x = 0\n")
    arguments = [{"uri": URI, "ranges": [at(0, 4, 5)]}]

    await editor.request(
        "workspace/executeCommand", {"command": "remask.infill", "arguments": arguments}
    )
    await editor.settle()

    assert "$/progress" not in editor.heard
    assert editor.server.work_done_progress.tokens == {}


async def test_an_editor_without_progress_gets_none(runtime: FakeRuntime) -> None:
    """It would not know the request."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["window"]
    editor = Editor(runtime)
    await editor.start(capabilities)

    reply = begin_fill(editor)
    await runtime.asked.wait()
    runtime.may_answer.set()
    await reply

    assert "window/workDoneProgress/create" not in editor.heard


async def test_notices_are_shown(editor: Editor) -> None:
    """A download or a model being loaded is news, too."""
    editor.runtime.first_report = lambda request: Notice(id=request.id, text="Downloading (34 %)")
    reply = begin_fill(editor)

    begun = await editor.hear("$/progress")
    editor.runtime.may_answer.set()
    await reply

    assert begun["value"]["message"] == "Downloading (34 %)"


async def test_drafts_can_be_drawn(editor: Editor) -> None:
    """Each canvas with the range it will replace, then word that it is over."""
    reply = begin_fill(editor)
    draft = await editor.hear("remask/draft")
    editor.runtime.may_answer.set()
    await reply

    token = editor.runtime.requests[0].id
    assert draft == {
        "token": token,
        "uri": URI,
        "version": 1,
        "spans": [{"range": at(0, 4, 5), "text": "░░"}],
        "mark": "░",
        "stepIndex": 0,
        "nForwards": 1,
        "nCommitted": 0,
        "done": False,
    }
    last = editor.heard["remask/draft"][-1]
    assert (last["token"], last["done"], last["spans"]) == (token, True, [])


async def test_status_follows_the_work(editor: Editor) -> None:
    """Busy while a request waits; then the model and its speed."""
    reply = begin_fill(editor)
    await editor.runtime.asked.wait()
    assert editor.heard["remask/didChangeStatus"][-1]["busy"]
    editor.runtime.may_answer.set()
    await reply

    status = await editor.request("remask/status", None)

    assert (status["busy"], status["tokensPerSecond"]) == (False, 8.0)
    assert status["state"] == "stopped"


LOADED = Status(
    id="",
    runtime_version="1",
    pid=1,
    model="fake",
    device="cpu, int8",
    loaded=True,
    n_waiting=0,
    n_running=0,
    uptime_s=1.0,
    peak_memory_bytes=1,
    log_path="",
    problems=("The disk is full.",),
)


async def filled(editor: Editor) -> dict[str, Any]:
    """Fill something, and return the status that is told then."""
    reply = begin_fill(editor)
    await editor.runtime.asked.wait()
    editor.runtime.may_answer.set()
    await reply
    await editor.settle()
    status: dict[str, Any] = editor.heard["remask/didChangeStatus"][-1]
    return status


async def test_status_tells_the_device(editor: Editor) -> None:
    """Once a model is loaded; nobody has to ask for it."""
    editor.runtime.says = LOADED
    status = await filled(editor)
    assert (status["device"], status["problems"]) == ("cpu, int8", ["The disk is full."])


async def test_another_runtime_is_asked_for_its_device(editor: Editor) -> None:
    """What the one before had is nothing to go by."""
    editor.runtime.says = LOADED
    await filled(editor)
    for state in (FakeState.STOPPED, FakeState.RUNNING):
        editor.runtime.become(state)
    editor.runtime.says = msgspec.structs.replace(LOADED, device="cuda")
    assert (await filled(editor))["device"] == "cuda"


async def test_an_editor_that_asks_for_nothing_hears_nothing(runtime: FakeRuntime) -> None:
    """Our own notifications go to clients that know them."""
    capabilities = copy.deepcopy(ABLE)
    del capabilities["experimental"]
    editor = Editor(runtime)
    await editor.start(capabilities)

    reply = begin_fill(editor)
    await runtime.asked.wait()
    runtime.may_answer.set()
    await reply

    assert not [method for method in editor.heard if method.startswith("remask/")]


async def test_shutting_down_hangs_up(editor: Editor) -> None:
    """The runtime is told, and may go on for other editors."""
    await editor.request("shutdown", None)

    assert editor.runtime.closed


async def test_an_editor_may_refuse_the_progress(editor: Editor) -> None:
    """The fill goes on without it."""
    editor.refused.add("window/workDoneProgress/create")
    reply = begin_fill(editor)
    await editor.runtime.asked.wait()
    editor.runtime.may_answer.set()

    assert (await reply)["applied"]
    await editor.settle()
    assert "$/progress" not in editor.heard


async def test_status_follows_the_runtime(editor: Editor) -> None:
    """Each change of its state is told."""
    editor.runtime.become(FakeState.RUNNING)

    assert editor.heard["remask/didChangeStatus"][-1]["state"] == "running"
