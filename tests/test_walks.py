"""The walks of ARCHITECTURE.md name functions that are called, in the order in which they are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import tiny_canvas
from support.editor import URI, Editor
from support.editors import ROOT
from support.trace import traced

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess
from model_runtime.service.server import RuntimeServer
from model_runtime.service.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

MAP = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
TEXT = "def area(side):\n    return side\n"


def walk(title: str) -> list[tuple[str, str]]:
    """Return the functions that a walk names, each with its file."""
    section = MAP.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    lines = re.findall(r"^    (\S+\.py) +(.+)$", section, re.MULTILINE)
    return [(file, name) for file, names in lines for name in names.split(", ")]


@contextlib.contextmanager
def runtime(directory: Path) -> Iterator[None]:
    """Serve the default family in small, in a thread of this process."""
    is_ready = threading.Event()
    server = RuntimeServer(
        Worker(tiny_canvas.engine), model="tiny", idle_exit_s=0, log_path=Path("none")
    )
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(directory, "unix", is_ready.set)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    is_ready.wait()
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(lambda: server.leave(now=True))
        thread.join()


async def code_action(editor: Editor) -> None:
    """Infill a line by the light bulb."""
    place = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 15}}
    params = {"textDocument": {"uri": URI}, "range": place, "context": {"diagnostics": []}}
    actions = await editor.request("textDocument/codeAction", params)
    (chosen,) = [one for one in actions if one["title"] == "Infill selection"]
    resolved = await editor.request("codeAction/resolve", chosen)
    assert resolved["edit"]


async def ghost_text(editor: Editor) -> None:
    """Ask for ghost text by key."""
    params: dict[str, Any] = {
        "textDocument": {"uri": URI},
        "position": {"line": 1, "character": 11},
        "context": {"triggerKind": 1},
    }
    assert await editor.request("textDocument/inlineCompletion", params) is not None


@pytest.mark.parametrize(
    ("title", "step"), [("A code action", code_action), ("Ghost text", ghost_text)]
)
async def test_a_walk_is_the_way_that_a_request_takes(
    short_path: Path, title: str, step: Any
) -> None:
    """Function by function, through a real server, runtime and model, in one process."""
    client = RuntimeClient(RuntimeProcess(short_path, transport="unix"))
    editor = Editor(client)  # type: ignore[arg-type]  # a real one
    await editor.start()
    editor.open(TEXT)
    with traced() as calls, runtime(short_path):
        await step(editor)
    await client.close()

    left = iter(calls)
    named = walk(title)
    assert len(named) > 10
    for one in named:
        assert one in left, one
