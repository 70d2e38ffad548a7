"""Load `remask serve --ray` with one replica, then with two, in one run.

    PYTHONPATH=tests python tests/bench/http_replicas.py

The scripted engine waits as long as a fill takes, without computing; so the figures are those of
the front, Ray's routing and the queue, and not of a model that two replicas would share cores for.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import httpx2
from support.serve_process import serve_process

#: A fill of 8 steps of 10 ms.
REPLY = {"texts": ["return w * h\n"], "n_steps": 8, "step_s": 0.01}
N_REQUESTS = 200
N_CLIENTS = 8


async def load(url: str) -> tuple[float, list[float]]:
    """Ask for all fills; return the seconds they took together, and each."""
    numbers = iter(range(N_REQUESTS))
    seconds: list[float] = []
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:

        async def ask() -> None:
            for number in numbers:
                started = time.perf_counter()
                body = {"model": "remask", "prompt": f"file {number % N_CLIENTS}"}
                reply = await client.post("/v1/completions", json=body)
                reply.raise_for_status()
                seconds.append(time.perf_counter() - started)

        await ask_once(client)
        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(N_CLIENTS)))
        return time.perf_counter() - started, seconds


async def ask_once(client: httpx2.AsyncClient) -> None:
    """Have one fill, so that connections stand."""
    await client.post("/v1/completions", json={"model": "remask", "prompt": "x"})


def main() -> int:
    """Run both and print a table."""
    lines = ["| replicas | fills a second | median ms | 95 % ms |", "|---:|---:|---:|---:|"]
    for n in ("1", "2"):
        flags = ("--ray", "--ray-min-replicas", n, "--ray-max-replicas", n, "--ray-cpus", "0.5")
        with serve_process(REPLY, flags=flags) as served:
            total, seconds = asyncio.run(load(served.url))
        middle, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        lines.append(f"| {n} | {N_REQUESTS / total:.1f} | {middle * 1e3:.0f} | {p95 * 1e3:.0f} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
