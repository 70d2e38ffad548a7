"""The runtime as a process of its own: starting, signals, leaving, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.scripted import scripted_arguments
from support.wire import Wire, infill_request

from model_runtime.protocol import (
    SOCKET_NAME,
    Failed,
    Finished,
    Shutdown,
    Status,
    StatusRequest,
    StepReport,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

ENDLESS = {"when": "endless", "endless": True, "step_s": 0.001}


@contextlib.asynccontextmanager
async def runtime(directory: Path, *arguments: str) -> AsyncIterator[Process]:
    """Yield a runtime that can be connected to; it is killed if the test has not ended it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model_runtime", "run"),
        *("--directory", str(directory), *(arguments or ("--engine", "scripted"))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run_to_end(*arguments: str) -> tuple[int, str]:
    """Run a runtime that does not get ready; return its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model_runtime", "run", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert output == b""
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_it_cleanly(short_path: Path, number: int) -> None:
    """A signal stops what runs, answers it, takes the socket away, and ends with status 0."""
    async with runtime(short_path, *scripted_arguments(short_path, ENDLESS)) as process:
        wire = await Wire.greet(short_path)
        wire.send(infill_request(prefix="endless", stream=True))
        assert isinstance(await wire.receive(), StepReport)
        process.send_signal(number)
        terminal = await wire.terminal()

        assert isinstance(terminal, Failed)
        assert terminal.code == "shutting_down"
        assert await wire.is_closed()
        assert (await process.communicate())[1] == b""
        assert process.returncode == 0
        assert not (short_path / SOCKET_NAME).exists()
        await wire.close()


async def test_engine_that_does_not_stop_is_left_behind(short_path: Path) -> None:
    """A signal ends the process even if its engine sees no reason to."""
    deaf = scripted_arguments(short_path, {"n_steps": 2, "step_s": 3600})
    async with runtime(short_path, *deaf) as process:
        wire = await Wire.greet(short_path)
        wire.send(infill_request(stream=True))
        assert isinstance(await wire.receive(), StepReport)
        process.send_signal(signal.SIGTERM)

        assert isinstance(await wire.terminal(), Failed)
        await process.communicate()
        assert process.returncode == 1
        await wire.close()


async def test_idle_exit(short_path: Path) -> None:
    """Without requests it leaves by itself, with status 0."""
    async with runtime(short_path, "--engine", "scripted", "--idle-exit-s", "0.05") as process:
        await process.communicate()

        assert process.returncode == 0
        assert not (short_path / SOCKET_NAME).exists()


async def test_next_runtime_waits_for_one_that_leaves(short_path: Path) -> None:
    """A runtime started while another one finishes its last job takes over from it."""
    arguments = scripted_arguments(short_path, {"texts": ["a b c"], "n_steps": 3, "step_s": 0.1})
    async with runtime(short_path, *arguments) as old:
        wire = await Wire.greet(short_path)
        wire.send(infill_request(stream=True))
        assert isinstance(await wire.receive(), StepReport)
        wire.send(Shutdown(id="bye"))
        async with runtime(short_path, *arguments) as new:
            assert isinstance(await wire.terminal(), Finished)
            assert await old.wait() == 0
            other = await Wire.greet(short_path)
            other.send(StatusRequest(id="s"))
            status = await other.receive()

            assert isinstance(status, Status)
            assert status.pid == new.pid
            await other.close()
            await wire.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--engine", "magic"), "unknown engine 'magic'; allowed: "),
        (("--threads", "many"), "settings: Expected `int`"),
    ],
)
async def test_bad_settings_end_it(
    short_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """What can't be is said in one line, with status 1."""
    status, errors = await run_to_end("--directory", str(short_path), *arguments)

    assert status == 1
    assert errors.startswith(reason)
    assert errors.count("\n") == 1


async def test_open_directory_is_refused(short_path: Path) -> None:
    """It does not listen where others could get in."""
    os.chmod(short_path, 0o755)  # noqa: PTH101, S103  # pathlib's is for synchronous functions
    status, errors = await run_to_end("--directory", str(short_path), "--engine", "scripted")

    assert status == 1
    assert "this user alone" in errors


async def test_log_quotes_no_text(short_path: Path, tmp_path: Path) -> None:
    """Whatever goes wrong, the log has no word of what was to be filled."""
    secret = "hunter2"  # it is no password
    replies: list[dict[str, Any]] = [{"when": "bug", "bug": True}, {"when": "die", "crash": 3}]
    async with runtime(short_path, *scripted_arguments(short_path, *replies)) as process:
        wire, garbled = await Wire.greet(short_path), await Wire.greet(short_path)
        wire.send(infill_request("a", f"{secret} bug", path=secret, document=secret))
        assert isinstance(await wire.terminal(), Failed)
        wire.send(infill_request("b", spans=()))
        assert isinstance(await wire.terminal("b"), Failed)
        garbled.writer.write(f"{secret} is no message".encode())
        assert await garbled.is_closed()
        wire.send(infill_request("c", f"{secret} die"))
        assert await wire.is_closed()
        _, errors = await process.communicate()
        await wire.close()
        await garbled.close()

    log = (tmp_path / "state" / "remask" / "runtime.log").read_text()
    assert "ZeroDivisionError" in log
    assert "closing the connection" in log
    assert secret not in log
    assert secret not in errors.decode()


async def test_log_that_can_not_be_written(
    short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place for its log it still serves, and says so in its status."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    async with runtime(short_path):
        wire = await Wire.greet(short_path)
        wire.send(StatusRequest(id="s"))
        status = await wire.receive()

        assert isinstance(status, Status)
        assert "No log can be written" in status.problems[0]
        await wire.close()


SERVER = """
import asyncio, sys
from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess
from model_runtime.protocol import InfillRequest, MaskSpan
async def main():
    client = RuntimeClient(RuntimeProcess.default(tuple(sys.argv[1:])))
    sys.stdin.readline()
    request = InfillRequest(id="a", prefix="", suffix="", spans=(MaskSpan(),))
    await client.infill(request)
    print((await client.status()).pid, flush=True)
    sys.stdin.readline()
    await client.close()
asyncio.run(main())
"""


async def test_two_servers_at_once_share_one_runtime(short_path: Path, tmp_path: Path) -> None:
    """Two language servers, let loose at the same moment, start exactly one runtime."""
    arguments = scripted_arguments(short_path)
    servers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVER, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for server in servers:
        assert server.stdin is not None
        server.stdin.write(b"go\n")
    pids = [int(await server.stdout.readline()) for server in servers if server.stdout is not None]
    for server in servers:
        await server.communicate(b"end\n")
    wire = await Wire.greet(short_path)
    wire.send(Shutdown(id="bye"))
    await wire.is_closed()
    await wire.close()

    assert pids[0] == pids[1]
    assert [server.returncode for server in servers] == [0, 0]
    log = (tmp_path / "state" / "remask" / "runtime.log").read_text()
    assert log.count("engine scripted") == 1
