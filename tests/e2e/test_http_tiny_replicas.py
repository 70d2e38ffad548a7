"""A team's server with a model in it: two replicas of the default family in small."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest
from support.editors import ROOT
from support.replicas import check_none_is_lost, lose_one, require_ray

if TYPE_CHECKING:
    from collections.abc import Iterator

require_ray()
pytestmark = pytest.mark.e2e

#: Fewer than two replicas keep, and how often each is asked about. An odd number: replicas that
#: merely take turns would else look as if each kept to its own.
N_DOCUMENTS = 5
N_ROUNDS = 6
#: Until then a replica that the other test lost has to be replaced.
MAX_WAIT_S = 120


class Front(NamedTuple):
    """Where it serves, and its process."""

    url: str
    pid: int


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """A front before two replicas."""
    command = [sys.executable, "-m", "support.tiny_replicas", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http"), "it did not start"
        try:
            yield Front(url, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


async def test_no_request_is_lost_when_a_replica_dies(front: Front) -> None:
    """Killed under load in the middle of real fills, it is not missed: the text is the same."""
    check_none_is_lost(await lose_one(front.url, front.pid))


async def test_a_document_stays_with_the_replica_that_holds_its_cache(front: Front) -> None:
    """From its first request on; and not all documents are with one."""
    homes: list[set[str]] = []
    try:
        async with asyncio.timeout(MAX_WAIT_S):
            for attempt in itertools.count():
                fills = await fill_all(front.url, [f"{attempt}/{i}.py" for i in range(N_DOCUMENTS)])
                # Each replica's model says which one it is.
                homes = [{one["model"] for one in found} for found in fills.values()]
                if all(len(home) == 1 for home in homes) and len(set.union(*homes)) == 2:
                    break
    except TimeoutError:
        pytest.fail(f"documents wander: {homes}")

    for first, *others in fills.values():
        assert first["usage"]["n_cached_tokens"] == 0
        assert all(one["usage"]["n_cached_tokens"] > 0 for one in others)


async def fill_all(url: str, documents: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Have each document filled some times, by turns; return the engine's messages for each."""
    fills: dict[str, list[dict[str, Any]]] = defaultdict(list)
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        for document in documents * N_ROUNDS:
            fills[document].append(await fill(client, document))
    return fills


async def fill(client: httpx2.AsyncClient, document: str) -> dict[str, Any]:
    """Have a document filled; return the engine's own message."""
    body = {
        "id": "x",
        "prefix": f"name = '{document}'\nx = ",
        "suffix": "\n",
        "spans": [{"max_tokens": 4}],
        "document": document,
        "seed": 1,
    }
    reply = await client.post("/remask/infill", json=body)
    found: dict[str, Any] = reply.raise_for_status().json()
    return found
