"""Finding and starting the runtime's process."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from support.scripted import scripted_arguments, scripted_client
from support.wire import infill_request

from lsp_server.errors import RuntimeUnavailable
from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import BACK_OFF_S, RuntimeProcess
from model_runtime.protocol import SOCKET_NAME

if TYPE_CHECKING:
    from pathlib import Path


async def test_two_servers_start_one_runtime(short_path: Path, tmp_path: Path) -> None:
    """Servers that need a runtime at the same time share one, started once."""
    async with scripted_client(short_path) as client:
        arguments = scripted_arguments(short_path)
        others = [RuntimeClient(RuntimeProcess(short_path, arguments)) for _ in range(3)]
        clients = [client, *others]
        await asyncio.gather(*(each.infill(infill_request()) for each in clients))
        statuses = await asyncio.gather(*(each.status() for each in clients))
        for other in others:
            await other.close()

        assert len({status.pid for status in statuses if status is not None}) == 1
    log = (tmp_path / "state" / "remask" / "runtime.log").read_text()
    assert log.count("engine scripted") == 1


async def test_failed_start_says_why(short_path: Path) -> None:
    """A runtime that can't start is reported with what it said."""
    client = RuntimeClient(RuntimeProcess(short_path, ("--engine", "scripded")))

    with pytest.raises(RuntimeUnavailable, match=r"unknown engine 'scripded'; allowed: .*scripted"):
        await client.infill(infill_request())


async def test_bad_script_says_why(short_path: Path) -> None:
    """An engine that can't be made fails the requests with the reason, and `Status` tells it."""
    async with scripted_client(short_path, {"when": "("}) as client:
        with pytest.raises(Exception, match="unterminated subpattern"):
            await client.infill(infill_request())
        status = await client.status()

        assert status is not None
        assert "unterminated subpattern" in status.problems[0]


async def test_failures_in_a_row_have_to_wait(short_path: Path) -> None:
    """The first failure is tried again at once, later ones after longer and longer pauses."""
    now = 0.0
    process = RuntimeProcess(short_path, ("--no-such-flag",), clock=lambda: now)
    for wait_s in BACK_OFF_S[:3]:
        with pytest.raises(RuntimeUnavailable, match="no-such-flag"):
            await process.find_or_start()
        if wait_s:
            with pytest.raises(RuntimeUnavailable, match="times in a row; the next try is in"):
                await process.find_or_start()
        now += wait_s
    process.served()

    with pytest.raises(RuntimeUnavailable, match="did not start"):
        await process.find_or_start()


@pytest.mark.parametrize(("status", "words"), [(3, "with status 3"), (-9, "killed by SIGKILL")])
def test_silent_end_is_told_by_its_status(short_path: Path, status: int, words: str) -> None:
    """A runtime that ends without a word is known by how it ended."""
    process = RuntimeProcess(short_path)
    assert process.last_words() == ""
    process._exit_status = status

    assert words in process.last_words()


def test_pauses_grow_to_a_limit(short_path: Path) -> None:
    """However often it fails, the pause is never longer than the last one."""
    process = RuntimeProcess(short_path, clock=lambda: 0.0)
    pauses = []
    for _ in range(2 * len(BACK_OFF_S)):
        process.failed()
        pauses.append(process._retry_at)

    assert pauses == [*BACK_OFF_S, *(max(BACK_OFF_S),) * len(BACK_OFF_S)]
    assert list(BACK_OFF_S) == sorted(BACK_OFF_S)


async def test_stale_socket_is_replaced(short_path: Path) -> None:
    """What a killed runtime left behind does not keep the next one from starting."""
    server = await asyncio.start_unix_server(lambda *_: None, str(short_path / SOCKET_NAME))
    server.close()
    await server.wait_closed()
    if not (short_path / SOCKET_NAME).exists():  # newer Pythons tidy up
        (short_path / SOCKET_NAME).touch()
    async with scripted_client(short_path) as client:
        finished = await client.infill(infill_request())

    assert finished.model == "scripted"


async def test_workspace_is_not_imported_from(
    short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules of the folder that an editor happens to stand in are not taken for ours."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('imported from the workspace')")
    (tmp_path / "model_runtime.py").write_text("raise SystemExit('imported from the workspace')")
    monkeypatch.chdir(tmp_path)
    async with scripted_client(short_path) as client:
        finished = await client.infill(infill_request())

    assert finished.model == "scripted"


async def test_runtime_outlives_its_starter(short_path: Path) -> None:
    """The server that started the runtime may go; others still find it running."""
    code = """
import asyncio, sys
from pathlib import Path
from lsp_server.runtime.process import RuntimeProcess
async def main():
    stream = await RuntimeProcess(Path(sys.argv[1]), tuple(sys.argv[2:])).find_or_start()
    stream.writer.close()
asyncio.run(main())
"""
    arguments = scripted_arguments(short_path)
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(short_path), *arguments
    )
    assert await starter.wait() == 0
    async with scripted_client(short_path) as client:
        status = await client.status()

        assert status is not None
        assert os.getsid(status.pid) == status.pid
