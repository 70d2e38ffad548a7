"""What one more client costs: a real runtime process, asked by several at once.

Once with one request after the other, and once with several that share each forward: what that
gains is for the machine to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.ask import request_for
from model_runtime.bench.base import CONTEXTS, Table, tail
from model_runtime.errors import ModelLoadFailed
from model_runtime.evaluation.asking import Clock
from model_runtime.http.link import Link
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model_runtime.bench.base import Row, Setup
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.service.listen import Transport

N_CLIENTS = (1, 4, 16)
#: Requests that share a forward.
N_AT_ONCE = (1, 4)
#: Fills of each client for each repetition.
N_FILLS = {1: 8, 4: 4, 16: 2}
LENGTH = 16


def measure(setup: Setup) -> list[Table]:
    """Measure a runtime with the default model."""
    cutter = setup.cutter()
    gaps = [cutter.behind(gap, CONTEXTS[0]) for gap in islice(cutter.cut(LENGTH), 64)]
    rows: list[Row] = []
    for n_at_once in N_AT_ONCE:
        settings = msgspec.structs.replace(setup.settings, requests_at_once=n_at_once)
        words = [sys.executable, "-m", "model_runtime", "run", *_flags(settings)]
        with _running(words) as folder:
            found = asyncio.run(measure_clients(folder, gaps, N_CLIENTS, setup.repeat))
        rows += [{"requests at once": n_at_once, **row} for row in found]
    return [
        Table(
            title="Several clients at once",
            says=(
                f"One runtime process, each client asking for one-line fills behind "
                f"{CONTEXTS[0]} tokens of context, one after another, every one in a document of "
                "its own: no context is in a cache. Requests at once is the setting "
                "`requests_at_once`: so many share each forward."
            ),
            rows=tuple(rows),
        )
    ]


async def measure_clients(
    folder: Path, gaps: Sequence[EvalTask], n_clients: Sequence[int], repeat: int
) -> list[Row]:
    """Ask the runtime that listens in a folder, by so many connections at once; return the rows.

    Gaps are asked for in turns, each in a document of its own; see `N_FILLS` for `repeat`.
    """
    rows: list[Row] = []
    await _fill_all(folder, gaps, 1, 1)  # the model is loaded now
    alone = 0.0
    for n in n_clients:
        clock = Clock()
        taken = await _fill_all(folder, gaps, n, N_FILLS.get(n, 1) * repeat)
        rate = sum(map(len, taken)) / clock.seconds
        alone = alone or rate
        seconds = [second for client in taken for second in client]
        medians = [statistics.median(client) for client in taken]
        rows.append(
            {
                "clients": n,
                "fills": len(seconds),
                "fills a second": rate,
                "times one client's": rate / alone,
                "median s": statistics.median(seconds),
                "95 % s": tail(seconds),
                "slowest client's median over the quickest's": max(medians) / min(medians),
            }
        )
    return rows


async def _fill_all(
    folder: Path, gaps: Sequence[EvalTask], n_clients: int, n_fills: int
) -> list[list[float]]:
    """Return the seconds of every client's fills, all clients asking at once."""

    async def ask(client: int) -> list[float]:
        link = await Link.open(folder, _transport())
        taken = []
        for number in range(n_fills):
            gap = gaps[(client * n_fills + number) % len(gaps)]
            document = f"client {client} of {n_clients}, document {number}"
            request = request_for(gap, document=document, max_tokens=LENGTH, lane="inline")
            clock = Clock()
            await link.infill(request, None)
            taken.append(clock.seconds)
        await link.close()
        return taken

    return await asyncio.gather(*map(ask, range(n_clients)))


@contextlib.contextmanager
def _running(words: Sequence[str]) -> Iterator[Path]:
    """Run a runtime in a folder of its own while the context lasts.

    Raises:
        ModelLoadFailed: it did not get ready.
    """
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        place = ["--directory", folder, "--transport", _transport()]
        with subprocess.Popen([*words, *place], stdout=subprocess.PIPE) as process:
            try:
                if process.stdout is None or process.stdout.readline() != b"ready\n":
                    raise ModelLoadFailed("the runtime to be measured did not get ready")
                yield Path(folder)
            finally:
                process.terminate()


def _transport() -> Transport:
    return "tcp" if sys.platform == "win32" else "unix"


def _flags(settings: RuntimeSettings) -> list[str]:
    """Return the flags that make a command's settings these."""
    values, usual = map(msgspec.structs.asdict, (settings, RuntimeSettings()))
    differing = {name: value for name, value in values.items() if value != usual[name]}
    return [f"--{name.replace('_', '-')}={value}" for name, value in differing.items()]
