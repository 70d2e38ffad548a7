"""Long files: ghost text glances at them first, and the rest is read while nobody asks."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest
from support.stepped import PATIENCE_S, SteppedEngine
from support.tiny_canvas import Listener, Patience, engine

from model_runtime.engines.base import ReadingEngine
from model_runtime.modes.glance import MUCH, READ_ROWS
from model_runtime.protocol import Finished, InfillRequest, MaskSpan
from model_runtime.service.jobs import Job, StopToken
from model_runtime.service.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.engines.local import LocalEngine
    from model_runtime.protocol import Lane

GLANCE = 128
ABOVE = "line = 1\n" * 60
BELOW = "\nlast = 2" * 30


def request(typed: str = "", *, above: str = ABOVE, lane: Lane = "inline") -> InfillRequest:
    """Return a request for what follows something typed in the middle of a file."""
    return InfillRequest(
        id="r", document="d", prefix=above + typed, suffix=BELOW, lane=lane, seed=1,
        may_glance=lane == "inline",
        spans=(MaskSpan(max_tokens=6, single_line=True),),
    )  # fmt: skip


def ask(local: LocalEngine, typed: str = "", **fields: str) -> Finished:
    """Have it filled."""
    return local.infill(request(typed, **fields), Listener(), Patience())  # type: ignore[arg-type]


def never() -> bool:
    """Nobody asks."""
    return False


def asked_after(n_times: int) -> Callable[[], bool]:
    """Somebody asks when that has been looked for so often."""
    looks = itertools.count(1)
    return lambda: next(looks) > n_times


def test_a_long_file_is_glanced_at_and_then_read() -> None:
    """Then the fill is what it is where all of the context is waited for."""
    local, patient = engine(glance_tokens=GLANCE), engine()
    glance, again = ask(local), ask(local, "x")
    assert glance.usage.n_context_tokens < 1.2 * GLANCE
    assert again.usage.n_context_tokens - again.usage.n_cached_tokens < 25

    local.read_ahead(never)
    read, whole = ask(local, "xy"), ask(patient, "xy")
    assert read.alternatives == whole.alternatives
    assert read.usage.n_context_tokens == whole.usage.n_context_tokens > 3 * GLANCE
    assert read.usage.n_context_tokens - read.usage.n_cached_tokens < 25


def test_reading_stops_when_somebody_asks_and_goes_on_later() -> None:
    """What is read stays; as soon as little is missing, the whole is shown."""
    local = engine(glance_tokens=GLANCE)
    whole = ask(engine()).usage.n_context_tokens
    ask(local)
    n_pieces = 0
    while ask(local).usage.n_context_tokens < whole:
        local.read_ahead(asked_after(1))
        n_pieces += 1
    assert n_pieces == -(-(whole - MUCH * GLANCE) // READ_ROWS)


def test_nothing_is_read_twice() -> None:
    """When all is read, reading on takes no forward."""
    local = engine(glance_tokens=GLANCE)
    ask(local)
    local.read_ahead(never)
    looks = []
    local.read_ahead(lambda: looks.append(1) is not None)
    assert not looks


@pytest.mark.parametrize("lane", ["inline", "edit"])
def test_what_has_been_asked_for_since_is_not_lost(lane: Lane) -> None:
    """An older context is not read where a newer one of the document is whole."""
    local = engine(glance_tokens=GLANCE)
    ask(local)
    if lane == "inline":
        local.read_ahead(never)
    newer = ask(local, "xyz", lane=lane)
    local.read_ahead(never)
    again = ask(local, "xyz", lane=lane)
    assert again.usage.n_context_tokens == newer.usage.n_context_tokens > 3 * GLANCE
    assert again.usage.n_cached_tokens >= again.usage.n_context_tokens - 1


@pytest.mark.parametrize(
    ("above", "lane", "glance_tokens"),
    [(ABOVE, "edit", GLANCE), ("line = 1\n", "inline", GLANCE * 2), (ABOVE, "inline", 0)],
)
def test_what_is_not_glanced_at(above: str, lane: Lane, glance_tokens: int) -> None:
    """Who waits for all of it, a short file, and where nobody wants it: nothing is left to read."""
    local = engine(glance_tokens=glance_tokens)
    found, whole = (ask(one, above=above, lane=lane) for one in (local, engine()))
    assert found.usage.n_context_tokens == whole.usage.n_context_tokens
    local.read_ahead(lambda: pytest.fail("nothing is to be read"))


def test_what_is_forgotten_is_not_read() -> None:
    """Neither is it where the engine is closed."""
    for leave in ("forget", "close"):
        local = engine(glance_tokens=GLANCE)
        ask(local)
        getattr(local, leave)()
        local.read_ahead(lambda: pytest.fail("nothing is to be read"))


class Reader(SteppedEngine):
    """Reads until somebody asks."""

    name: ClassVar[str] = "reader"

    def __init__(self, *, has_bug: bool = False) -> None:
        super().__init__()
        self._has_bug = has_bug
        self.has_begun = threading.Event()

    def read_ahead(self, must_stop: Callable[[], bool]) -> None:
        """See `ReadingEngine.read_ahead`."""
        if self._has_bug:
            raise ZeroDivisionError
        self.has_begun.set()
        while not must_stop():
            pass


def job() -> Job:
    """Return one that nobody listens to."""
    return Job(request(), client=None, token=StopToken())  # type: ignore[arg-type]


async def test_the_worker_reads_while_nobody_asks() -> None:
    """And stops for the next request, or to close."""
    reader = Reader()
    assert isinstance(reader, ReadingEngine)
    worker = Worker(lambda: reader)
    for _ in range(3):
        reader.finish()
        assert isinstance(await worker.run(job(), lambda _report: None), Finished)
        assert await asyncio.to_thread(reader.has_begun.wait, PATIENCE_S)
        reader.has_begun.clear()
    assert await worker.close()
    assert reader.closed.is_set()


async def test_a_bug_while_reading_harms_nobody() -> None:
    """It is logged, and the next request filled."""
    reader = Reader(has_bug=True)
    worker = Worker(lambda: reader)
    for _ in range(2):
        reader.finish()
        assert isinstance(await worker.run(job(), lambda _report: None), Finished)
    assert await worker.close()


async def test_the_worker_has_the_engine_read_a_long_file() -> None:
    """What was glanced at is whole at the next request, if there was time."""
    worker = Worker(lambda: engine(glance_tokens=GLANCE))
    n_seen = []
    for _ in range(2):
        finished = await worker.run(job(), lambda _report: None)
        assert isinstance(finished, Finished)
        n_seen.append(finished.usage.n_context_tokens)
        await worker.warm()  # comes behind whatever the thread has to do
    assert n_seen[0] < 1.2 * GLANCE < 3 * GLANCE < n_seen[1]
    assert await worker.close()
