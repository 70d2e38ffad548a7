"""Ask `remask serve` thousands of things at once, sensible and not, and report what came of it.

    PYTHONPATH=tests python tests/bench/http_soak.py --requests 10000

Starts the server with the scripted engine, all on 127.0.0.1. Fails if there was an error 500, if a
job is left over at the end, or if either process kept growing. Prints a report in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import gzip
import json
import os
import platform
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from support.serve_process import serve_process

from model_runtime.http.dialect import next_id
from model_runtime.http.link import Link
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.serve_process import Served

    Act = Callable[["Soak"], Awaitable[str]]

REPLIES: tuple[dict[str, Any], ...] = (
    {"when": "ENDLESS$", "texts": ["x"], "endless": True, "step_s": 0.002},
    {"when": "SLOW$", "texts": ["a b c d e f\n"], "n_steps": 5, "step_s": 0.004},
    {"when": "FAIL$", "fail": "canvas_too_long"},
    {"texts": ["return w * h\n"], "n_steps": 3},
)
N_WORKERS = 24
MAX_GROWTH = 1.10
N_OVERHEAD = 400


class Soak:
    """One run against one server."""

    def __init__(self, served: Served, seed: int) -> None:
        self.served = served
        self.rng = random.Random(seed)  # a mix of requests is no secret
        self.client = httpx2.AsyncClient(
            base_url=served.url,
            trust_env=False,
            timeout=60,
            limits=httpx2.Limits(max_connections=None),
        )
        self.outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> str:
        """Post and return the status."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        # Joined by hand: the client library would tidy the path.
        url = httpx2.URL(self.served.url).copy_with(raw_path=path.encode())
        reply = await self.client.post(url, content=content, headers=headers)
        return str(reply.status_code)


def infill(prompt: str, **values: Any) -> dict[str, Any]:
    """Return a body of llama.cpp's endpoint."""
    return {"input_prefix": prompt, "input_suffix": "\n"} | values


PACKED = gzip.compress(json.dumps(infill("x = ")).encode())
BOMB = gzip.compress(b" " * 20_000_000)


def edit(code: str) -> list[dict[str, str]]:
    """Return a chat's messages that ask for a change of code."""
    return [{"role": "user", "content": f"Double it.\n```python\n{code}\n```"}]


def spoken(prompt: str, **values: Any) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return a body of every dialect, and the endpoint that it is for."""
    marked = f"<|fim_prefix|>{prompt}<|fim_suffix|>\n<|fim_middle|>"
    return (
        ("/infill", infill(prompt) | values),
        ("/completion", {"prompt": marked, **values}),
        ("/v1/completions", {"model": "remask", "prompt": prompt, "suffix": "\n", **values}),
        ("/v1/completions", {"prompt": [prompt, f"[SUFFIX]\n[PREFIX]{prompt}"], **values}),
        ("/v1/fim/completions", {"model": "codestral-latest", "prompt": prompt, **values}),
        ("/v1/chat/completions", {"messages": edit("x = 1"), **values}),
        ("/api/generate", {"model": "x", "prompt": prompt, "suffix": "\n", **values}),
        ("/api/chat", {"messages": edit("x = 1"), **values}),
        ("/remask/infill", {"id": "", "prefix": prompt, "suffix": "", "spans": [{}], **values}),
    )


async def whole(soak: Soak) -> str:
    """Ask one of the endpoints for a fill."""
    return await soak.post(*soak.rng.choice(spoken("def area(w, h):\n    ", stream=False)))


async def odd(soak: Soak) -> str:
    """Ask in a form that nobody wrote down, and that means something all the same."""
    path, body = soak.rng.choice(
        (
            ("//infill/", infill("x = ", n_predict=-1, stop=[str(i) for i in range(100)])),
            ("/completions", {"prompt": "x = ", "model": None, "max_tokens": 2**70}),
            ("/v1/v1/completions", {"prompt": ["x = "] * 3, "max_tokens": "64", "n": 2}),
            ("/infill", rb'{"input_prefix": "x\ud83d", "input_suffix": null}'),
            ("/infill", b'\xef\xbb\xbf{"input_prefix": "\xf0\x9f", "input_suffix": ""}'),
            ("/v1/completions", {"prompt": "a\r\nb\r\n", "suffix": "\r\n", "stop": "\r\n"}),
            ("/infill", infill("x = ", remask={"confidence": "balanced"}, seed=-7.0)),
            ("/api/generate", {"prompt": "", "keep_alive": "5m"}),
            ("/generate", {"prompt": "<PRE> x <SUF> y <MID>", "options": {"num_predict": -2}}),
            ("/api/show", {"model": "anything"}),
        )
    )
    return await soak.post(path, body)


async def hostile(soak: Soak) -> str:
    """Send what is made to break something."""
    path, body = soak.rng.choice(
        (
            ("/infill", b"[" * 90_000),
            ("/infill", b'{"input_prefix":' * 5_000),
            ("/infill", infill("x", stop=["a" * i for i in range(300)])),
            ("/infill", infill("x", stop=[str(i) for i in range(5_000)])),
            ("/infill", infill("x", n_indent=10**30, t_max_predict_ms=-(10**30))),
            ("/infill", b'{"input_prefix": "x", "n_predict": 1e999999}'),
            ("/infill", b'{"input_prefix": "x", "n_predict": ' + b"9" * 9_000 + b"}"),
            ("/v1/completions", {"prompt": ["x"] * 5_000}),
            ("/v1/completions", {"prompt": "<|fim_prefix|>" * 3_000}),
            ("/v1/completions", {"prompt": "<|file_sep|>" * 5_000 + "<|fim_suffix|>" * 2_000}),
            ("/v1/chat/completions", {"messages": edit("```\n" * 5_000)}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "`" * 50_000}]}),
            ("/v1/chat/completions", {"messages": [{"content": [[["x"]]]}] * 100}),
            ("/api/chat", {"messages": [{"content": "<code>" * 15_000}]}),
            ("/api/generate", {"prompt": "x", "options": {"stop": [None, {}, [], 1]}}),
            ("/" + "/" * 3_000, {}),
            ("/v1/" * 2_000, {}),
            ("/v1/models/%00%ff/../../x", {}),
        )
    )
    return await soak.post(path, body)


async def packed(soak: Soak) -> str:
    """Send a packed body: a sound one, one that is cut off, and one that would be huge."""
    body = soak.rng.choice((PACKED, PACKED[:-8], BOMB))
    return await soak.post("/infill", body, {"content-encoding": "gzip"})


async def streamed(soak: Soak) -> str:
    """Read a stream to its end."""
    path, body = soak.rng.choice(spoken("SLOW", stream=True))
    if path != "/remask/infill":
        body["diffusing"] = soak.rng.random() < 0.5
    async with soak.client.stream("POST", path, json=body) as reply:
        async for _ in reply.aiter_lines():
            pass
    return str(reply.status_code)


async def bad(soak: Soak) -> str:
    """Send what can't be read, or what nothing fits."""
    path, body = soak.rng.choice(
        (
            ("/infill", b"{"),
            ("/infill", infill("x", n_predict="many")),
            ("/infill", infill("FAIL")),
            ("/v1/completions", {"model": "gpt-9", "prompt": "x", "echo": True}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello!"}]}),
            ("/api/generate", {"prompt": "x", "format": "json"}),
            ("/v1/fim/completions", b"\xff\xfe"),
            ("/v1/nothing", {}),
        )
    )
    return await soak.post(path, body)


async def oversized(soak: Soak) -> str:
    """Send more than is taken."""
    try:
        return await soak.post("/infill", b" " * (200_000))
    except httpx2.TransportError:
        return "hung up"  # it need not read what it refuses


async def cancelled(soak: Soak) -> str:
    """Ask for a fill that never ends, and leave."""
    path, body = soak.rng.choice(spoken("ENDLESS", stream=soak.rng.random() < 0.5))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(soak.rng.uniform(0.005, 0.05)):
            return await soak.post(path, body)
    return "left"


async def slow_reader(soak: Soak) -> str:
    """Open a stream and read nothing of it for a while."""
    body = {"model": "remask", "prompt": "SLOW", "stream": True}
    async with soak.client.stream("POST", "/v1/completions", json=body) as reply:
        await asyncio.sleep(0.2)
        await reply.aread()
    return str(reply.status_code)


async def slow_sender(soak: Soak) -> str:
    """Promise a body and never send it."""
    host, port = soak.served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    status = (await reader.readline()).split()[1].decode()
    writer.close()
    return status


#: What clients do, and how often.
MIX: dict[Act, float] = {
    whole: 0.3,
    streamed: 0.15,
    odd: 0.15,
    hostile: 0.08,
    packed: 0.02,
    bad: 0.1,
    cancelled: 0.1,
    oversized: 0.05,
    slow_reader: 0.04,
    slow_sender: 0.01,
}


def resident_bytes(pid: int) -> int:
    """Return what a process has in memory (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def runtime_pid(directory: Path) -> int:
    """Return the process of the runtime that listens in a directory."""
    wanted = str(directory).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"run" in words and wanted in words:
                return int(folder.name)
    raise LookupError("no runtime")


async def run(soak: Soak, n_requests: int) -> list[tuple[int, int, int]]:
    """Do it all; return requests done and both processes' bytes, ten times on the way."""
    acts = soak.rng.choices(list(MIX), list(MIX.values()), k=n_requests)
    front, runtime = soak.served.process.pid, runtime_pid(soak.served.directory)
    samples = []
    waiting = iter(enumerate(acts))

    async def work() -> None:
        for index, act in waiting:
            if index % (n_requests // 10) == 0:
                samples.append((index, resident_bytes(front), resident_bytes(runtime)))
            started = time.monotonic()
            outcome = await act(soak)
            soak.outcomes[act.__name__, outcome] += 1
            soak.seconds[act.__name__].append(time.monotonic() - started)

    await asyncio.gather(*(work() for _ in range(N_WORKERS)))
    samples.append((n_requests, resident_bytes(front), resident_bytes(runtime)))
    return samples


async def overhead(soak: Soak) -> tuple[float, float]:
    """Return median seconds of a fill over the runtime's socket, and over HTTP, one by one.

    HTTP is spoken by hand: a client library's own time is longer than the front's.
    """
    link = await Link.open(soak.served.directory, "unix")
    host, port = soak.served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(infill("x = ")).encode()
    head = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    direct, http = [], []
    for _ in range(N_OVERHEAD):
        request = InfillRequest(id=next_id(), prefix="x = ", suffix="\n", spans=(MaskSpan(),))
        started = time.perf_counter()
        await link.infill(request, None)
        middle = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        n_bytes = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(n_bytes)
        direct.append(middle - started)
        http.append(time.perf_counter() - middle)
    writer.close()
    await link.close()
    return statistics.median(direct), statistics.median(http)


def report(
    soak: Soak, samples: list[tuple[int, int, int]], seconds: float, medians: tuple[float, float]
) -> str:
    """Return what happened, in Markdown."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()})"
    n = sum(soak.outcomes.values())
    head = f"{n:,} requests in {seconds:.0f} s, {N_WORKERS} clients at a time, on {machine}"
    lines = [
        f"{head}, load average {os.getloadavg()[0]:.1f}.",
        "",
        "| what clients did | times | outcomes | median ms | 95 % ms |",
        "|---|---:|---|---:|---:|",
    ]
    for name, times in soak.seconds.items():
        counts = sorted(soak.outcomes.items())
        outcomes = ", ".join(f"{what}: {count:,}" for (act, what), count in counts if act == name)
        p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
        figures = f"{statistics.median(times) * 1000:.0f} | {p95 * 1000:.0f}"
        lines.append(f"| {name.replace('_', ' ')} | {len(times):,} | {outcomes} | {figures} |")
    lines += ["", "| requests done | front, MiB | runtime, MiB |", "|---:|---:|---:|"]
    lines += [f"| {i:,} | {a / 2**20:.1f} | {b / 2**20:.1f} |" for i, a, b in samples]
    direct, http = (value * 1000 for value in medians)
    lines += [
        "",
        f"One by one, {N_OVERHEAD} fills: {direct:.2f} ms at the median over the runtime's socket,",
        f"{http:.2f} ms over HTTP. The front adds {http - direct:.2f} ms.",
    ]
    return "\n".join(lines)


async def soak_all(served: Served, n_requests: int, seed: int) -> int:
    """Run and report; return the exit status."""
    soak = Soak(served, seed)
    started = time.monotonic()
    samples = await run(soak, n_requests)
    seconds = time.monotonic() - started
    props = (await soak.client.get("/props")).json()["remask"]
    figures = (await soak.client.get("/metrics")).text
    medians = await overhead(soak)
    await soak.client.aclose()
    sys.stdout.write(report(soak, samples, seconds, medians) + "\n")
    n_errors = sum(count for (_, what), count in soak.outcomes.items() if what == "500")
    # The first tenth fills pools and caches.
    growth = [samples[-1][i] / samples[1][i] for i in (1, 2)]
    left = props["n_running"] + props["n_waiting"]
    is_good = (
        n_errors == 0
        and left == 0
        and "remask_open_requests 0.0" in figures
        and max(growth) < MAX_GROWTH
    )
    grown = f"front {growth[0] - 1:+.1%}, runtime {growth[1] - 1:+.1%}"
    sys.stdout.write(
        f"\nErrors 500: {n_errors}. Jobs left over: {left}. Growth after the first tenth:"
        f" {grown}.\n{'Good.' if is_good else 'NOT GOOD.'}\n"
    )
    return 0 if is_good else 1


def main() -> int:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # On a busy machine nobody may get through for a second; the runtime is to stay.
    flags = ("--max-body-bytes", "100000", "--patience-s", "1", "--idle-exit-s", "8")
    with serve_process(*REPLIES, flags=flags) as served:
        return asyncio.run(soak_all(served, arguments.requests, arguments.seed))


if __name__ == "__main__":
    sys.exit(main())
