"""Whether memory grows with the number of requests."""

from __future__ import annotations

import gc
import itertools
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.bench.ask import request_for
from model_runtime.bench.base import Table
from model_runtime.evaluation.asking import ask

if TYPE_CHECKING:
    from model_runtime.bench.base import Row, Setup

#: Contexts of the requests, in turns: lengths of a cache that come and go.
CONTEXTS = (40, 60, 40, 120, 40, 60, 40, 250)
LENGTH = 8
N_GAPS = 60
MAX_TOKENS = 4
#: More documents than the engine keeps.
N_DOCUMENTS = 7
N_LOOKS = 10


def measure(setup: Setup) -> list[Table]:
    """Send many requests; look at the memory after each tenth of them."""
    title = "Memory over many requests"
    if resident_mib() is None:
        note = "Not measured: this system does not say how much memory a process has."
        return [Table(title=title, says="", notes=(note,))]
    cutter = setup.cutter()
    gc.collect()
    shortened = zip(cutter.cut(LENGTH), islice(itertools.cycle(CONTEXTS), N_GAPS), strict=False)
    gaps = [cutter.behind(gap, n_context) for gap, n_context in shortened]
    engine = setup.engine()
    rows: list[Row] = []
    first = 0.0
    n_done = 0
    for look in range(1, N_LOOKS + 1):
        for number in range(n_done, setup.n_requests * look // N_LOOKS):
            document = f"document {number % N_DOCUMENTS}"
            gap = gaps[number % len(gaps)]
            ask(engine, request_for(gap, document=document, max_tokens=MAX_TOKENS))
            n_done += 1
        resident = resident_mib() or 0.0
        first = first or resident
        rows.append({"requests": n_done, "resident MiB": resident, "grown MiB": resident - first})
    grown = float(rows[-1]["grown MiB"] or 0)
    says = (
        f"Small fills in {N_DOCUMENTS} documents through one engine. After the first tenth of the "
        f"{setup.n_requests} requests the resident memory changed by {grown:+.1f} MiB."
    )
    return [Table(title=title, says=says, rows=tuple(rows))]


def resident_mib() -> float | None:
    """Return the memory this process has resident now, in MiB; None where the system can't say."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return None
    n_pages = int(path.read_text(encoding="ascii").split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 2**20
