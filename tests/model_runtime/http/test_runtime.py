"""The runtime as the front sees it: a process that leaves, dies, and is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
from support.scripted import scripted_arguments
from support.wire import Wire, infill_request

from model_runtime.http.faults import NotFilled
from model_runtime.http.runtime import Runtime
from model_runtime.protocol import Shutdown, StatusRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SLOW = {"when": "slow", "texts": ["a b c d"], "n_steps": 4, "step_s": 0.1}
ENDLESS = {"when": "endless", "endless": True, "step_s": 0.001}


@pytest.fixture
async def runtime(short_path: Path) -> AsyncIterator[Runtime]:
    """A runtime process that has answered already; it is gone afterwards."""
    arguments = scripted_arguments(short_path, SLOW, ENDLESS, {"texts": ["quick"]})
    runtime = Runtime(short_path, arguments)
    await runtime.status()
    yield runtime
    await runtime.close()
    wire = await Wire.greet(short_path)
    wire.send(Shutdown(id="bye"))
    await wire.is_closed()
    await wire.close()


async def begin(runtime: Runtime, prefix: str) -> asyncio.Task[tuple[str, ...]]:
    """Have something filled; return once the model is at work."""
    has_begun = asyncio.Event()

    async def fill() -> tuple[str, ...]:
        request = infill_request(prefix, prefix, stream=True)
        finished = await runtime.infill(request, lambda _: has_begun.set())
        return finished.alternatives[0].texts

    filling = asyncio.create_task(fill())
    await has_begun.wait()
    return filling


async def test_request_that_meets_a_leaving_runtime(runtime: Runtime, short_path: Path) -> None:
    """The next runtime fills it: the client need not ask twice. What runs is finished before."""
    slow = await begin(runtime, "slow")
    before = (await runtime.status()).pid
    wire = await Wire.greet(short_path)
    wire.send(Shutdown(id="bye"), StatusRequest(id="has read that"))
    await wire.receive()
    quick = await runtime.infill(infill_request("b"))

    assert quick.alternatives[0].texts == ("quick",)
    assert await slow == ("a b c d",)
    assert (await runtime.status()).pid != before
    await wire.close()


async def test_runtime_that_is_killed(runtime: Runtime) -> None:
    """What it was filling fails; the next request starts a new one."""
    endless = await begin(runtime, "endless")
    os.kill((await runtime.status()).pid, signal.SIGKILL)

    with pytest.raises(NotFilled, match="went away"):
        await endless
    quick = await runtime.infill(infill_request("b"))
    assert quick.alternatives[0].texts == ("quick",)
