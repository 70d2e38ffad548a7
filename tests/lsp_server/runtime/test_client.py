"""The client, with a real runtime process behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from typing import TYPE_CHECKING, Any

import pytest
from support.scripted import scripted_client
from support.wire import infill_request

from lsp_server.errors import InfillFailed, RuntimeUnavailable
from lsp_server.runtime.client import RuntimeClient, RuntimeState
from lsp_server.runtime.process import RuntimeProcess
from model_runtime.framing import encode
from model_runtime.protocol import (
    ADDRESS_NAME,
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    SOCKET_NAME,
    Failed,
    Notice,
    Refused,
    Status,
    StepReport,
    Stopping,
    Welcome,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from model_runtime.protocol import InfillRequest, RuntimeMessage

ENDLESS = {"when": "endless", "endless": True, "step_s": 0.001}


class Running:
    """A request that runs in the background."""

    def __init__(self, client: RuntimeClient, request: InfillRequest) -> None:
        self._seen = asyncio.Event()
        self.task = asyncio.create_task(client.infill(request, lambda _: self._seen.set()))

    async def begun(self) -> None:
        """Wait for its first step."""
        await self._seen.wait()

    async def code(self) -> str:
        """Wait for its failure, and return the code of it."""
        with pytest.raises(InfillFailed) as caught:
            await self.task
        return caught.value.code


async def begin(client: RuntimeClient, request_id: str = "endless") -> Running:
    """Return a request that denoises without end."""
    running = Running(client, infill_request(request_id, "endless", stream=True))
    await running.begun()
    return running


async def fill(client: RuntimeClient, prefix: str = "", **values: Any) -> tuple[str, ...]:
    """Have something filled."""
    finished = await client.infill(infill_request("b", prefix, **values))
    return finished.alternatives[0].texts


async def test_first_request_starts_the_runtime(short_path: Path) -> None:
    """Nothing runs before the first request, and the states are told as they come."""
    states: list[RuntimeState] = []
    async with scripted_client(short_path, {"texts": ["filled"]}) as client:
        client.on_state(states.append)
        assert await client.status() is None
        assert client.state is RuntimeState.STOPPED

        assert await fill(client) == ("filled",)
        status = await client.status()
        assert isinstance(status, Status)
        assert status.loaded
        assert await client.stop()
        assert not await client.stop()

    assert states == [RuntimeState.STARTING, RuntimeState.RUNNING, RuntimeState.STOPPED]


async def test_reports_come_before_the_result(short_path: Path) -> None:
    """Notices and steps reach the caller, and the last step shows the whole text."""
    reports: list[StepReport | Notice] = []
    reply = {"texts": ["a b c d"], "n_steps": 3, "notices": ["Loading"]}
    async with scripted_client(short_path, reply) as client:
        await client.infill(infill_request(stream=True), reports.append)

    assert Notice(id="a", text="Loading") in reports
    assert isinstance(reports[-1], StepReport)
    assert reports[-1].drafts == reports[-1].committed == ("a b c d",)


async def test_failure_has_its_code(short_path: Path) -> None:
    """A failed request raises what the runtime said."""
    replies = ({"when": "load", "fail": "model_load_failed"}, {"when": "bug", "bug": True})
    async with scripted_client(short_path, *replies) as client:
        with pytest.raises(InfillFailed, match="scripted failure") as load:
            await fill(client, "load")
        with pytest.raises(InfillFailed, match="ZeroDivisionError") as bug:
            await fill(client, "bug")

    assert (load.value.code, bug.value.code) == ("model_load_failed", "internal")


async def test_cancelled_task_cancels_the_request(short_path: Path) -> None:
    """Whoever gives up on a request frees the model for the next one."""
    async with scripted_client(short_path, ENDLESS) as client:
        running = await begin(client)
        running.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running.task

        assert await fill(client) == ("pass",)


async def test_giving_up_while_starting_leaves_the_others(short_path: Path) -> None:
    """A caller that is cancelled while the runtime starts does not take it from the others."""
    async with scripted_client(short_path) as client:
        first = asyncio.create_task(fill(client))
        second = asyncio.create_task(client.infill(infill_request("c")))
        await asyncio.wait({first, second}, timeout=0)
        first.cancel()

        assert (await second).id == "c"
        assert first.cancelled()


async def test_killed_runtime_fails_all_that_is_open(short_path: Path) -> None:
    """Requests of a killed runtime fail with a clear reply; the next one starts a new runtime."""
    async with scripted_client(short_path, ENDLESS) as client:
        running = await begin(client)
        waiting = Running(client, infill_request("waits"))
        before = await client.status()
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)

        assert await running.code() == "runtime_died"
        assert await waiting.code() == "runtime_died"
        assert client.state is RuntimeState.FAILED
        assert await fill(client) == ("pass",)
        after = await client.status()
        assert after is not None
        assert after.pid != before.pid


async def test_crash_says_how_it_ended(short_path: Path) -> None:
    """A runtime that ends in the middle of a request takes that request with it, and no more."""
    async with scripted_client(short_path, {"when": "crash", "crash": 3}) as client:
        with pytest.raises(InfillFailed, match="died; the next request starts a new one"):
            await fill(client, "crash")

        assert await fill(client) == ("pass",)


async def test_killed_while_idle_is_no_failure(short_path: Path) -> None:
    """A runtime that goes while nothing is asked of it is simply not there any more."""
    stopped = asyncio.Event()
    async with scripted_client(short_path) as client:
        await fill(client)
        status = await client.status()
        assert status is not None
        client.on_state(lambda _: stopped.set())
        os.kill(status.pid, signal.SIGKILL)
        await stopped.wait()

        assert client.state is RuntimeState.STOPPED
        assert await client.status() is None
        assert await fill(client) == ("pass",)


async def test_duplicate_id_is_refused(short_path: Path) -> None:
    """An id that is in use fails at once, and the request that has it goes on."""
    async with scripted_client(short_path, ENDLESS) as client:
        running = await begin(client, "same")
        with pytest.raises(InfillFailed, match="in use") as caught:
            await client.infill(infill_request("same"))

        assert caught.value.code == "bad_request"
        assert not running.task.done()
        running.task.cancel()
        await asyncio.wait({running.task})


@pytest.mark.parametrize(("text", "n_times"), [("\ud800", 1), ("x", MAX_MESSAGE_BYTES)])
async def test_unsendable_request(short_path: Path, text: str, n_times: int) -> None:
    """Half a surrogate pair, or too much, fails its request and not the connection."""
    text *= n_times
    async with scripted_client(short_path) as client:
        with pytest.raises(InfillFailed, match="can't be sent") as caught:
            await fill(client, text)

        assert caught.value.code == "bad_request"
        assert await fill(client) == ("pass",)


async def test_faulty_listener_costs_nobody_anything(
    short_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A listener that raises is logged; its request is filled all the same."""

    def fail(_: StepReport | Notice) -> None:
        raise ZeroDivisionError

    async with scripted_client(short_path, {"n_steps": 2}) as client:
        finished = await client.infill(infill_request(stream=True), fail)

    assert finished.alternatives[0].texts == ("pass",)
    assert "a listener failed" in caplog.text


async def test_close_cancels_what_is_open(short_path: Path) -> None:
    """A client that hangs up ends its own requests; the runtime goes on."""
    async with scripted_client(short_path, ENDLESS) as client:
        running = await begin(client)
        await client.close()

        assert await running.code() == "cancelled"
        assert client.state is RuntimeState.STOPPED
        status = await client.status()
        assert status is not None
        assert await fill(client) == ("pass",)


async def test_loopback_transport(short_path: Path) -> None:
    """Where there are no Unix sockets, TCP and a token do the same."""
    async with scripted_client(short_path, ENDLESS, transport="tcp") as client:
        assert await fill(client) == ("pass",)
        address = short_path / ADDRESS_NAME
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        port, token = address.read_text().split()
        address.write_text(f"{port} {'0' * len(token)}")
        stranger = RuntimeClient(RuntimeProcess(short_path, transport="tcp"))
        with pytest.raises(RuntimeUnavailable, match="another user"):
            await fill(stranger)
        await stranger.close()

        assert await client.stop()
        assert not address.exists()


Answers = list["RuntimeMessage | bytes"]


@contextlib.asynccontextmanager
async def false_runtime(folder: Path, *answers: Answers) -> AsyncIterator[RuntimeClient]:
    """Yield a client of something that answers each message of ours with the next messages."""
    n_connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        for messages in answers:
            await reader.read(65536)
            for message in messages:
                writer.write(message if isinstance(message, bytes) else encode(message))
        writer.close()

    server = await asyncio.start_unix_server(answer, str(folder / SOCKET_NAME))
    client = RuntimeClient(RuntimeProcess(folder))
    try:
        yield client
    finally:
        await client.close()
        server.close()


WELCOME = Welcome(protocol_version=PROTOCOL_VERSION, runtime_version="0", pid=1)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([Refused(reason="you are from the future")], "you are from the future"),
        ([Failed(id="a", code="internal", text="")], "speaks another protocol"),
        ([b"HTTP/1.1 400 Bad Request"], "does not answer as it should"),
        ([], "hangs up on every connection"),
    ],
    ids=["refused", "wrong message", "garbage", "hangs up"],
)
async def test_unusable_runtime(short_path: Path, answers: Answers, reason: str) -> None:
    """What listens but can't be used is named, and does no harm."""
    async with false_runtime(short_path, answers) as client:
        with pytest.raises(RuntimeUnavailable, match=reason):
            await fill(client)

        assert client.state is RuntimeState.FAILED


#: The head of a text of 4 GiB.
ENDLESS_FRAME = b"\xdb\xff\xff\xff\xff"


@pytest.mark.parametrize("answer", [b"\xc1", WELCOME, b"\x81\xa2", ENDLESS_FRAME], ids=repr)
async def test_runtime_that_breaks_the_protocol(
    short_path: Path, answer: RuntimeMessage | bytes
) -> None:
    """Garbage, a second welcome, half a frame or one too large: the open request fails, once."""
    async with false_runtime(short_path, [WELCOME], [answer]) as client:
        with pytest.raises(InfillFailed) as caught:
            await fill(client)

        assert caught.value.code == "runtime_died"


async def test_request_that_crosses_the_goodbye(short_path: Path) -> None:
    """A request that reaches a runtime which has just said goodbye did not kill it."""
    async with false_runtime(short_path, [WELCOME], [Stopping(id="")]) as client:
        with pytest.raises(InfillFailed) as caught:
            await fill(client)

        assert caught.value.code == "shutting_down"
        assert client.state is RuntimeState.STOPPED


async def test_request_that_meets_a_leaving_runtime(short_path: Path) -> None:
    """The next runtime fills it: the user need not ask twice. What runs is finished before."""
    slow = {"when": "slow", "texts": ["a b c d"], "n_steps": 4, "step_s": 0.1}
    async with scripted_client(short_path, slow, {"texts": ["quick"]}) as client:
        running = Running(client, infill_request("a", "slow", stream=True))
        await running.begun()
        before = await client.status()
        stopping = asyncio.create_task(client.stop())
        # On the same connection, so the runtime reads of its end first.
        await asyncio.sleep(0)

        assert await fill(client) == ("quick",)
        assert (await running.task).alternatives[0].texts == ("a b c d",)
        assert await stopping
        after = await client.status()
        assert before is not None
        assert after is not None
        assert before.pid != after.pid


async def test_messages_for_nobody_are_ignored(short_path: Path) -> None:
    """What comes for a request that is gone, or never was, is dropped."""
    late = [
        StepReport(
            id="x", step_index=0, n_forwards=1, n_committed=0, drafts=("",), committed=("",)
        ),
        Failed(id="x", code="internal", text=""),
        Failed(id="b", code="busy", text="mine"),
        Failed(id="b", code="busy", text="again"),
    ]
    async with false_runtime(short_path, [WELCOME], late) as client:
        with pytest.raises(InfillFailed, match="mine"):
            await fill(client)
