"""The runtime's server, over a real socket, with an engine whose steps the test hands out."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from typing import TYPE_CHECKING

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stepped import SteppedEngine, serving
from support.wire import Wire, infill_request, next_edit_request

from model_runtime.errors import Cancelled, DeadlinePassed, GaveWay, ShuttingDown, Superseded
from model_runtime.framing import encode
from model_runtime.protocol import (
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    SOCKET_NAME,
    Cancel,
    Failed,
    Finished,
    Hello,
    NextEdits,
    Refused,
    Shutdown,
    Status,
    StatusRequest,
    StepReport,
    Stopping,
)
from model_runtime.service.connection import MAX_UNSENT, Connection
from model_runtime.service.jobs import MAX_WAITING

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def engine() -> SteppedEngine:
    """The engine that the tests' server serves."""
    return SteppedEngine()


def code(message: Finished | Failed) -> str:
    """Return how a request ended."""
    return message.code if isinstance(message, Failed) else "finished"


async def test_a_next_edit_gives_way_and_is_done_later(
    engine: SteppedEngine, short_path: Path
) -> None:
    """Ghost text that comes meanwhile is served first; then it runs again, to its own end."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(next_edit_request("n", "f.py"))
        await engine.started()
        wire.send(infill_request("g", lane="inline", document="f.py"))
        wire.send(StatusRequest(id="s"))
        assert isinstance(await wire.receive(), Status)
        await engine.step()
        assert (await engine.started()).id == "g"
        engine.finish()
        assert isinstance(await wire.terminal("g"), Finished)
        assert (await engine.started()).id == "n"
        engine.finish()
        assert isinstance(await wire.terminal("n"), NextEdits)
        assert engine.ends == [GaveWay, None, None]
        await wire.close()


async def test_request_is_filled(engine: SteppedEngine, short_path: Path) -> None:
    """A request gets its step reports and then its terminal message, under its own id."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("x", stream=True))
        await engine.started()
        await engine.step()
        report = await wire.receive()
        engine.finish()
        terminal = await wire.receive()

        assert isinstance(report, StepReport)
        assert isinstance(terminal, Finished)
        assert (report.id, terminal.id) == ("x", "x")
        await wire.close()


async def test_loading_goes_on_for_those_who_come_next(
    engine: SteppedEngine, short_path: Path
) -> None:
    """Who gives up has his answer at once; who waits for the model hears how far it is."""
    engine.loaded = False
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("a", lane="inline", document="d"))
        await engine.started()
        wire.send(infill_request("b", lane="inline", document="d"))
        given_up = await wire.receive()
        await engine.tell("Downloading (12%)")
        notice = await wire.receive()
        engine.loaded = True
        await engine.step()
        await engine.started()
        engine.finish()
        filled = await wire.receive()

        assert (given_up.id, given_up.code) == ("a", "superseded")
        assert (notice.id, notice.text) == ("b", "Downloading (12%)")
        assert isinstance(filled, Finished)
        assert engine.ends == [Superseded, None]
        await wire.close()


async def test_a_runtime_that_leaves_loads_nothing_more(
    engine: SteppedEngine, short_path: Path
) -> None:
    """Also what nobody waits for any more."""
    engine.loaded = False
    async with serving(engine, short_path) as (server, task):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("a"))
        await engine.started()
        wire.send(Cancel(id="a"))
        await wire.receive()
        await engine.step()
        server.leave(now=True)
        await engine.step()
        await task

        assert engine.ends == [ShuttingDown]
        await wire.close()


async def test_socket_is_private(engine: SteppedEngine, short_path: Path) -> None:
    """Only the user may connect: the socket has mode 0600."""
    async with serving(engine, short_path):
        mode = (short_path / SOCKET_NAME).stat().st_mode

        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


async def test_no_reports_unless_wanted(engine: SteppedEngine, short_path: Path) -> None:
    """Without `stream` the terminal message is all that comes."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request())
        await engine.started()
        await engine.step()
        engine.finish()

        assert isinstance(await wire.receive(), Finished)
        await wire.close()


async def test_cancel_frees_the_model_within_one_step(
    engine: SteppedEngine, short_path: Path
) -> None:
    """A cancelled job is answered at once, and stops before its next step is taken."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("old"))
        await engine.started()
        wire.send(Cancel(id="old"), infill_request("next"))

        assert code(await wire.terminal("old")) == "cancelled"
        await engine.step()
        assert engine.ends == [Cancelled]
        await engine.started()
        engine.finish()
        assert code(await wire.terminal("next")) == "finished"
        await wire.close()


async def test_cancel_of_a_waiting_job(engine: SteppedEngine, short_path: Path) -> None:
    """A job that only waits is cancelled too, and never reaches the engine."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("runs"), infill_request("waits"))
        await engine.started()
        wire.send(Cancel(id="waits"))

        assert code(await wire.terminal("waits")) == "cancelled"
        engine.finish()
        assert code(await wire.terminal("runs")) == "finished"
        assert engine.ends == [None]
        await wire.close()


async def test_cancel_of_what_is_done_is_ignored(engine: SteppedEngine, short_path: Path) -> None:
    """A cancel that comes too late, or names nothing, changes nothing."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        engine.finish()
        wire.send(infill_request())
        await wire.terminal()
        wire.send(Cancel(id="a"), Cancel(id="never was"), StatusRequest(id="s"))

        assert isinstance(await wire.receive(), Status)
        await wire.close()


async def test_newest_of_a_document_supersedes(engine: SteppedEngine, short_path: Path) -> None:
    """In the inline lane a newer request ends the older ones, running and waiting."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        for request_id in ("runs", "waits", "newest"):
            wire.send(infill_request(request_id, lane="inline", document="f.py"))
            if request_id == "runs":
                await engine.started()

        assert code(await wire.terminal("runs")) == "superseded"
        assert code(await wire.terminal("waits")) == "superseded"
        await engine.step()
        assert engine.ends == [Superseded]
        assert (await engine.started()).id == "newest"
        engine.finish()
        assert code(await wire.terminal("newest")) == "finished"
        await wire.close()


async def test_deadline_of_a_waiting_job(engine: SteppedEngine, short_path: Path) -> None:
    """A request whose time runs out while it waits fails, and never reaches the engine."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("runs"))
        await engine.started()
        wire.send(infill_request("late", deadline_s=0.001))

        assert code(await wire.terminal("late")) == "deadline"
        engine.finish()
        assert code(await wire.terminal("runs")) == "finished"
        assert engine.ends == [None]
        await wire.close()


async def test_deadline_of_a_running_job(engine: SteppedEngine, short_path: Path) -> None:
    """A job whose time runs out is answered at once, and stops before its next step."""
    async with serving(engine, short_path) as (server, _):
        wire = await Wire.greet(short_path)
        wire.send(infill_request(deadline_s=3600))
        await engine.started()
        # The clock strikes.
        timer = next(iter(server._open.jobs.values())).timer
        assert timer is not None
        timer._run()

        assert code(await wire.terminal()) == "deadline"
        await engine.step()
        assert engine.ends == [DeadlinePassed]
        await wire.close()


async def test_client_that_leaves_is_cancelled(engine: SteppedEngine, short_path: Path) -> None:
    """A client's jobs stop when its connection closes; another client's go on."""
    async with serving(engine, short_path):
        leaving, staying = await Wire.greet(short_path), await Wire.greet(short_path)
        leaving.send(infill_request("runs"), infill_request("waits"))
        await engine.started()
        staying.send(infill_request("stays"))
        await leaving.close()
        await until_n_waiting(staying, 1)
        await engine.step()

        assert (await engine.started()).id == "stays"
        assert engine.ends == [Cancelled]
        engine.finish()
        assert code(await staying.terminal("stays")) == "finished"
        await staying.close()


async def test_duplicate_id_is_refused(engine: SteppedEngine, short_path: Path) -> None:
    """A second request under an open id fails, and the first one goes on."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("a"), infill_request("a"))

        assert code(await wire.terminal("a")) == "bad_request"
        engine.finish()
        assert code(await wire.terminal("a")) == "finished"
        await wire.close()


@pytest.mark.parametrize(
    "values",
    [
        {"spans": ()},
        {"strength": 1.5},
        {"strength": float("nan")},
        {"n_alternatives": 0},
        {"deadline_s": -1.0},
        {"deadline_s": float("nan")},
    ],
    ids=str,
)
async def test_bad_values_are_refused(
    engine: SteppedEngine, short_path: Path, values: dict[str, object]
) -> None:
    """A value out of its range fails the request before it waits."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request(**values))

        assert code(await wire.terminal()) == "bad_request"
        await wire.close()


async def test_full_queue_is_said(engine: SteppedEngine, short_path: Path) -> None:
    """A request beyond the limit fails with "busy"; another client still gets in."""
    async with serving(engine, short_path):
        greedy, modest = await Wire.greet(short_path), await Wire.greet(short_path)
        greedy.send(infill_request("runs"))
        await engine.started()
        greedy.send(*(infill_request(str(i)) for i in range(MAX_WAITING + 1)))

        assert code(await greedy.terminal(str(MAX_WAITING))) == "busy"
        modest.send(infill_request("in"))
        await until_n_waiting(modest, MAX_WAITING + 1)
        await greedy.close()
        await until_n_waiting(modest, 1)
        await engine.step()
        engine.finish()
        assert code(await modest.terminal("in")) == "finished"
        await modest.close()


class Unforeseen(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("error", [ZeroDivisionError("secret text"), Unforeseen("secret text")])
async def test_bug_in_the_engine(
    engine: SteppedEngine,
    short_path: Path,
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever an engine raises, the request fails, the log tells where, and the server lives."""

    def raise_it() -> None:
        raise error

    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request())
        await engine.started()
        await engine.step(raise_it)
        terminal = await wire.terminal()

        assert isinstance(terminal, Failed)
        assert terminal.code == "internal"
        reference = terminal.text.split("number ")[1].split()[0]
        assert f"bug {reference}: {type(error).__name__}" in caplog.text
        assert "raise_it" in caplog.text
        assert "secret" not in caplog.text
        engine.finish()
        wire.send(infill_request("b"))
        assert code(await wire.terminal("b")) == "finished"
        await wire.close()


async def test_unsendable_result(engine: SteppedEngine, short_path: Path) -> None:
    """A result that no frame can hold becomes a failure, for a terminal message there must be."""
    engine.text = "x" * (MAX_MESSAGE_BYTES + 1)
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request())
        engine.finish()
        terminal = await wire.terminal()

        assert isinstance(terminal, Failed)
        assert terminal.code == "internal"
        assert "can't be sent" in terminal.text
        await wire.close()


async def test_slow_client_holds_nobody_up(engine: SteppedEngine, short_path: Path) -> None:
    """Reports to a client that does not read are conflated; the rest comes, in order, once."""
    n_steps = 300
    engine.draft = "x" * 20_000
    async with serving(engine, short_path) as (server, _):
        slow, other = await Wire.greet(short_path), await Wire.greet(short_path)
        slow.send(infill_request(stream=True))
        await engine.started()
        connection = next(iter(server._open.jobs.values())).client
        assert isinstance(connection, Connection)
        for _ in range(n_steps):
            await engine.step()
            assert len(connection._unsent) <= 1
        engine.finish()
        other.send(infill_request("b"))
        await engine.started()
        engine.finish()

        assert code(await other.terminal("b")) == "finished"
        received = [await slow.receive()]
        while not isinstance(received[-1], Finished):
            received.append(await slow.receive())
        slow.send(StatusRequest(id="s"))
        assert isinstance(await slow.receive(), Status)
        indexes = [report.step_index for report in received if isinstance(report, StepReport)]
        assert indexes == sorted(indexes)
        assert len(indexes) < n_steps
        assert indexes[-1] == n_steps - 1
        await slow.close()
        await other.close()


async def test_client_that_only_asks_is_not_read(engine: SteppedEngine, short_path: Path) -> None:
    """Of a client that takes no answers no more questions are read, so none pile up."""
    async with serving(engine, short_path) as (server, _):
        wire = await Wire.greet(short_path)
        connection = next(iter(server._connections))
        question = encode(StatusRequest(id="q" * 10_000))
        for _ in range(20 * MAX_UNSENT):
            wire.writer.write(question)
        other = await Wire.greet(short_path)
        for _ in range(50):
            other.send(StatusRequest(id="s"))
            await other.receive()
            assert len(connection._unsent) <= MAX_UNSENT

        received = [await wire.receive() for _ in range(20 * MAX_UNSENT)]
        assert all(isinstance(message, Status) for message in received)
        await wire.close()
        await other.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xc1",
        b"\xdb\xff\xff\xff\xff",
        encode(StatusRequest(id="before the greeting")),
        encode(Cancel(id="x"))[:-1],
        msgpack.packb({"type": "Hello"}),
        msgpack.packb([[]] * 1000),
    ],
    ids=repr,
)
async def test_garbage_closes_that_connection_only(
    engine: SteppedEngine, short_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no message closes its connection, with a line in the log; others go on."""
    caplog.set_level(logging.WARNING)
    async with serving(engine, short_path):
        other = await Wire.greet(short_path)
        wire = await Wire.connect(short_path)
        wire.writer.write(data)
        wire.writer.write_eof()

        assert await wire.is_closed()
        assert "closing the connection" in caplog.text
        engine.finish()
        other.send(infill_request())
        assert code(await other.terminal()) == "finished"
        await wire.close()
        await other.close()


async def test_oversized_frame_closes_the_connection(
    engine: SteppedEngine, short_path: Path
) -> None:
    """A frame over the limit is refused before it is whole, and its sender's jobs stop."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("runs"))
        await engine.started()
        body = msgpack.packb("x" * (MAX_MESSAGE_BYTES + 1))
        wire.writer.write(body)

        assert await wire.is_closed()
        await engine.step()
        assert engine.ends == [Cancelled]
        wire.writer.close()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(min_size=1, max_size=200))
def test_any_bytes_leave_the_server_standing(short_path: Path, data: bytes) -> None:
    """After any bytes at all a well-behaved client is still served."""

    async def check() -> None:
        engine = SteppedEngine()
        async with serving(engine, short_path):
            wire = await Wire.greet(short_path)
            wire.writer.write(data)
            wire.writer.write_eof()
            await wire.is_closed()
            await wire.close()
            other = await Wire.greet(short_path)
            engine.finish()
            other.send(infill_request())
            assert code(await other.terminal()) == "finished"
            await other.close()

    asyncio.run(check())


async def test_other_protocol_version_is_refused(engine: SteppedEngine, short_path: Path) -> None:
    """A client of another version is told so, and how to go on."""
    async with serving(engine, short_path):
        wire = await Wire.connect(short_path)
        wire.send(Hello(protocol_version=PROTOCOL_VERSION + 1, client="from the future"))
        answer = await wire.receive()

        assert isinstance(answer, Refused)
        assert "stop the runtime" in answer.reason
        assert await wire.is_closed()
        await wire.close()


SPEAK_AS_NOBODY = """
import os, socket, sys
path = sys.argv[1]
os.chmod(os.path.dirname(path), 0o755)
os.chmod(path, 0o666)
os.setuid(65534)
wire = socket.socket(socket.AF_UNIX)
wire.connect(path)
wire.sendall(sys.stdin.buffer.read())
print(wire.recv(1000))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
async def test_other_user_is_refused(engine: SteppedEngine, short_path: Path) -> None:
    """Even where the modes of files would let another user in, the runtime does not."""
    async with serving(engine, short_path):
        stranger = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SPEAK_AS_NOBODY, str(short_path / SOCKET_NAME)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        hello = Hello(protocol_version=PROTOCOL_VERSION, client="stranger")
        heard, _ = await stranger.communicate(encode(hello))

        assert b"belongs to another user" in heard


async def test_shutdown_finishes_what_runs(engine: SteppedEngine, short_path: Path) -> None:
    """Asked to leave, the runtime finishes what runs, refuses the rest, then says goodbye."""
    async with serving(engine, short_path) as (_, task):
        wire, asking = await Wire.greet(short_path), await Wire.greet(short_path)
        wire.send(infill_request("runs"), infill_request("waits"))
        await engine.started()
        asking.send(Shutdown(id="bye"))

        assert code(await wire.terminal("waits")) == "shutting_down"
        wire.send(infill_request("late"))
        assert code(await wire.terminal("late")) == "shutting_down"
        assert not (short_path / SOCKET_NAME).exists()
        engine.finish()
        assert code(await wire.terminal("runs")) == "finished"
        assert await asking.receive() == Stopping(id="bye")
        assert await wire.receive() == Stopping(id="")
        assert await wire.is_closed()
        assert await task
        assert engine.closed.is_set()
        await wire.close()
        await asking.close()


async def test_a_next_edit_that_gave_way_is_told_of_the_end(
    engine: SteppedEngine, short_path: Path
) -> None:
    """Where the runtime leaves before it has another turn."""
    async with serving(engine, short_path) as (_, task):
        wire = await Wire.greet(short_path)
        wire.send(next_edit_request("n", "f.py"))
        await engine.started()
        wire.send(infill_request("g"), Shutdown(id="bye"))
        assert code(await wire.terminal("g")) == "shutting_down"
        await engine.step()

        assert code(await wire.terminal("n")) == "shutting_down"
        assert await task
        assert engine.ends == [GaveWay]
        await wire.close()


async def test_leaving_now_stops_what_runs(engine: SteppedEngine, short_path: Path) -> None:
    """Told to leave now (a signal), the runtime does not wait for what runs."""
    async with serving(engine, short_path) as (server, task):
        wire = await Wire.greet(short_path)
        wire.send(infill_request())
        await engine.started()
        server.leave(now=True)

        assert code(await wire.terminal()) == "shutting_down"
        await engine.step()
        assert await task
        assert engine.ends == [ShuttingDown]
        await wire.close()


async def test_idle_exit(engine: SteppedEngine, short_path: Path) -> None:
    """Without requests the runtime leaves, even if a client is still connected."""
    async with serving(engine, short_path, idle_exit_s=0.01) as (_, task):
        wire = await Wire.greet(short_path)

        assert await wire.is_closed()
        assert await task
        await wire.close()


async def test_no_idle_exit_while_a_job_runs(engine: SteppedEngine, short_path: Path) -> None:
    """The idle clock does not run out on a job, and starts again when the job is done."""
    async with serving(engine, short_path) as (server, task):
        wire = await Wire.greet(short_path)
        wire.send(infill_request())
        await engine.started()
        server._idle_exit_s = 0.001
        server._leave_if_idle()
        engine.finish()

        assert code(await wire.terminal()) == "finished"
        assert await wire.is_closed()
        assert await task
        await wire.close()


async def test_status(engine: SteppedEngine, short_path: Path) -> None:
    """`Status` says what runs and what waits."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        wire.send(infill_request("a"), infill_request("b"))
        await engine.started()
        wire.send(StatusRequest(id="s"))
        status = await wire.receive()

        assert isinstance(status, Status)
        assert (status.n_running, status.n_waiting) == (1, 1)
        assert (status.model, status.device, status.problems) == ("stepped", "none", ())
        assert status.peak_memory_bytes > 1_000_000
        await wire.close()
        await engine.step()


async def test_engine_has_one_thread(engine: SteppedEngine, short_path: Path) -> None:
    """All jobs run on the one worker thread, and not on the loop's."""
    async with serving(engine, short_path):
        wires = [await Wire.greet(short_path) for _ in range(3)]
        for wire in wires:
            engine.finish()
            wire.send(infill_request())
        for wire in wires:
            await wire.terminal()
            await wire.close()

        assert len(engine.thread_names) == 1
        assert "engine" in next(iter(engine.thread_names))


async def test_ghost_text_goes_first(engine: SteppedEngine, short_path: Path) -> None:
    """An engine that does one job at a time has one; of those that wait ghost text is the next."""
    async with serving(engine, short_path):
        wire = await Wire.greet(short_path)
        for request_id in ("runs", "waits"):
            wire.send(infill_request(request_id))
        await until_n_waiting(wire, 1)
        wire.send(infill_request("ghost", lane="inline"))
        await until_n_waiting(wire, 2)

        for request_id in ("runs", "ghost", "waits"):
            assert (await engine.started()).id == request_id
            engine.finish()
            assert code(await wire.terminal(request_id)) == "finished"
        await wire.close()


async def until_n_waiting(wire: Wire, n_waiting: int) -> None:
    """Ask until so many jobs wait."""
    while True:
        wire.send(StatusRequest(id="s"))
        status = await wire.receive()
        assert isinstance(status, Status)
        if status.n_waiting == n_waiting:
            return
