"""A team's server: replicas on Ray Serve, one of which dies under load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from support.serve_process import serve_process

if TYPE_CHECKING:
    from support.serve_process import Served

pytest.importorskip("ray")
pytestmark = pytest.mark.e2e

FILL = "return w * h\n"
FLAGS = ("--ray", "--ray-min-replicas", "2", "--ray-max-replicas", "2", "--ray-cpus", "0.5")
N_REQUESTS = 60
N_CLIENTS = 6


def replicas(front: int) -> list[int]:
    """Return the replicas' processes that come from a front's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_replica = b"ServeReplica:remask" in (folder / "cmdline").read_bytes()
            if is_replica and front in ancestors(int(folder.name)):
                found.append(int(folder.name))
    return found


def ancestors(pid: int) -> list[int]:
    """Return a process's parent, its parent's parent, and so on."""
    found = []
    while pid > 1:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        pid = int(status.rpartition(") ")[2].split()[1])
        found.append(pid)
    return found


async def ask_all(served: Served) -> list[str]:
    """Ask for many fills; kill a replica on the way. Return the texts."""
    texts: list[str] = []
    numbers = iter(range(N_REQUESTS))
    async with httpx2.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as client:

        async def ask() -> None:
            for number in numbers:
                if number == N_REQUESTS // 3:
                    os.kill(replicas(served.process.pid)[0], signal.SIGKILL)
                body = {
                    "model": "remask",
                    "prompt": f"file {number % 5}",
                    "stream": number % 2 == 0,
                }
                reply = await client.post("/v1/completions", json=body)
                assert reply.status_code == 200, reply.text
                whole = reply.json()["choices"][0]["text"] if number % 2 else streamed(reply.text)
                texts.append(whole)

        await asyncio.gather(*(ask() for _ in range(N_CLIENTS)))
    return texts


def streamed(text: str) -> str:
    """Return the text of a stream's events."""
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    return "".join(httpx2.Response(200, text=e).json()["choices"][0]["text"] for e in events[:-1])


async def test_no_request_is_lost_when_a_replica_dies() -> None:
    """Two replicas, one killed under load: every request is filled, streamed or not."""
    reply = {"texts": [FILL], "n_steps": 4, "step_s": 0.01}
    with serve_process(reply, flags=FLAGS) as served:
        assert len(replicas(served.process.pid)) == 2
        texts = await ask_all(served)

    assert texts == [FILL] * N_REQUESTS
