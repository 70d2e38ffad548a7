"""What the front adds to a model's own time, and what a second replica is worth.

    PYTHONPATH=tests python tests/bench/http_tiny.py

The default family in small (`support.tiny_canvas`): a real denoising loop on real tensors, for
which a fill takes a few milliseconds. The same requests go over the runtime's own socket, over HTTP
to a front before that runtime, and to fronts before one and two replicas on Ray Serve. Fails if
the front adds more than 5 ms at the median. Everything is on 127.0.0.1; prints Markdown.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from model_runtime.http.dialect import next_id
from model_runtime.http.link import Link
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    #: Has the n-th fill.
    Fill = Callable[[int], Awaitable[None]]

N_FILLS = 300
N_CLIENTS = 4
N_TOKENS = 24
MAX_ADDED_S = 0.005
PREFIXES = [f"def area_{i}(w, h):\n    " for i in range(4)]


@contextlib.contextmanager
def tiny_runtime() -> Iterator[Path]:
    """Run a runtime process; yield its directory."""
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        command = [sys.executable, "-m", "support.tiny_runtime", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            try:
                yield Path(folder)
            finally:
                process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def fronting(*command: str) -> Iterator[str]:
    """Run a front as a process of its own; yield its address."""
    whole = [sys.executable, *command]
    with subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        try:
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.asynccontextmanager
async def over_http(url: str) -> AsyncIterator[Fill]:
    """Yield how to have a fill of a front."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:

        async def fill(number: int) -> None:
            prefix = PREFIXES[number % len(PREFIXES)]
            body = {"input_prefix": prefix, "input_suffix": "\n", "n_predict": N_TOKENS}
            (await client.post("/infill", json=body | {"seed": 1})).raise_for_status()

        yield fill


@contextlib.asynccontextmanager
async def direct(directory: Path) -> AsyncIterator[Fill]:
    """Yield how to have a fill over the runtime's own socket."""
    link = await Link.open(directory, "unix")

    async def fill(number: int) -> None:
        request = InfillRequest(
            id=next_id(),
            prefix=PREFIXES[number % len(PREFIXES)],
            suffix="\n",
            spans=(MaskSpan(max_tokens=N_TOKENS),),
            seed=1,
        )
        await link.infill(request, None)

    yield fill
    await link.close()


async def one_by_one(*fills: Fill) -> list[float]:
    """Return the median seconds of each way, taken in turns."""
    seconds: list[list[float]] = [[] for _ in fills]
    for number in range(N_FILLS):
        for fill, taken in zip(fills, seconds, strict=True):
            started = time.perf_counter()
            await fill(number)
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


async def at_once(fill: Fill) -> tuple[float, float, float]:
    """Return fills a second, and the median and the 95th percentile of seconds a fill."""
    await asyncio.gather(*(fill(number) for number in range(N_CLIENTS)))
    numbers, seconds = iter(range(N_FILLS)), list[float]()

    async def ask() -> None:
        for number in numbers:
            started = time.perf_counter()
            await fill(number)
            seconds.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(N_CLIENTS)))
    total = time.perf_counter() - started
    return N_FILLS / total, statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]


async def measure() -> int:
    """Measure and print; return the exit status."""
    rows: dict[str, tuple[float, float, float]] = {}
    with tiny_runtime() as directory:
        serve = ("-m", "model_runtime", "serve", "--port", "0", "--requests-per-minute", "0")
        with fronting(*serve, "--directory", str(directory)) as url:
            async with direct(directory) as own, over_http(url) as with_it:
                alone, with_front = await one_by_one(own, with_it)
                rows["the runtime's socket"] = await at_once(own)
                rows["a front and the runtime"] = await at_once(with_it)
    for n_replicas in (1, 2):
        with fronting("-m", "support.tiny_replicas", str(n_replicas)) as url:
            async with over_http(url) as fill:
                name = f"a front and {n_replicas} replica{'s' * (n_replicas > 1)}"
                rows[name] = await at_once(fill)
    added = with_front - alone
    machine = f"{os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()})"
    lines = [
        f"{machine}, load average {os.getloadavg()[0]:.1f}.",
        "",
        f"One by one, {N_FILLS} fills each, in turns: {alone * 1e3:.2f} ms at the median over the",
        f"runtime's socket, {with_front * 1e3:.2f} ms over HTTP.",
        f"The front adds {added * 1e3:.2f} ms.",
        "",
        f"| {N_CLIENTS} clients, {N_FILLS} fills | fills a second | median ms | 95 % ms |",
        "|---|---:|---:|---:|",
    ]
    for name, (rate, middle, p95) in rows.items():
        lines.append(f"| {name} | {rate:.1f} | {middle * 1e3:.1f} | {p95 * 1e3:.1f} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if added < MAX_ADDED_S else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
