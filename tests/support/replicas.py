"""Replicas on Ray Serve behind a front, and the loss of one of them under load."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
from collections import defaultdict
from pathlib import Path

import httpx2
import pytest

N_REQUESTS = 60
N_CLIENTS = 6
N_FILES = 5


def require_ray() -> None:
    """Skip where Ray, an extra, is not installed; CI has to have it, and fails."""
    if os.environ.get("CI") != "true" and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed", allow_module_level=True)


def replicas(front: int) -> list[int]:
    """Return the replicas' processes that come from a front's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_replica = b"ServeReplica:remask" in (folder / "cmdline").read_bytes()
            if is_replica and front in _ancestors(int(folder.name)):
                found.append(int(folder.name))
    return found


async def lose_one(url: str, front: int) -> dict[str, list[str]]:
    """Ask for many fills, streamed and not; kill a replica on the way.

    Args:
        url: the front's.
        front: its process.

    Returns:
        The texts that came for each prompt.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    numbers = iter(range(N_REQUESTS))
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:

        async def ask() -> None:
            for number in numbers:
                if number == N_REQUESTS // 3:
                    os.kill(replicas(front)[0], signal.SIGKILL)
                prompt, streams = f"file_{number % N_FILES} = ", number % 2 == 0
                body = {"model": "remask", "prompt": prompt, "max_tokens": 24, "seed": 1}
                reply = await client.post("/v1/completions", json=body | {"stream": streams})
                assert reply.status_code == 200, reply.text
                whole = _streamed(reply.text) if streams else reply.json()["choices"][0]["text"]
                texts[prompt].append(whole)

        await asyncio.gather(*(ask() for _ in range(N_CLIENTS)))
    return texts


def check_none_is_lost(texts: dict[str, list[str]]) -> None:
    """Check that every request was filled, and the same prompt alike."""
    assert sum(map(len, texts.values())) == N_REQUESTS
    assert len(texts) == N_FILES
    for found in texts.values():
        assert set(found) == {found[0]}
        assert found[0].strip()


def _ancestors(pid: int) -> list[int]:
    """Return a process's parent, its parent's parent, and so on."""
    found = []
    while pid > 1:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        pid = int(status.rpartition(") ")[2].split()[1])
        found.append(pid)
    return found


def _streamed(text: str) -> str:
    """Return the text of a stream's events."""
    # A comment shows a client that waits that somebody is there.
    pieces = (line for line in text.split("\n\n") if not line.startswith(":"))
    events = [piece.removeprefix("data: ") for piece in pieces if piece]
    assert events[-1] == "[DONE]"
    return "".join(httpx2.Response(200, text=e).json()["choices"][0]["text"] for e in events[:-1])
