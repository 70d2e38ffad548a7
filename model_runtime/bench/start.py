"""What it takes to bring the model up, in fresh processes, and the memory it then has."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.base import Table
from model_runtime.errors import ModelLoadFailed
from model_runtime.evaluation.asking import Clock
from model_runtime.weights.fetch import cache_dir

if TYPE_CHECKING:
    from model_runtime.bench.base import Row, Setup
    from model_runtime.settings import RuntimeSettings

_LOAD = """
import sys, time
started = time.perf_counter()
import msgspec
from model_runtime.engines.loading import load_default
from model_runtime.service.process import peak_memory_bytes
from model_runtime.settings import RuntimeSettings
settings = msgspec.json.decode(sys.argv[1], type=RuntimeSettings)
imported = time.perf_counter()
load_default(settings, lambda *_: None)
loaded = time.perf_counter()
print(imported - started, loaded - imported, peak_memory_bytes() / 2**20, flush=True)
"""


def measure(setup: Setup) -> list[Table]:
    """Start a few times, first without and then with the weights in the disk cache."""
    settings = setup.settings
    _start(settings)  # whatever is fetched or converted once is here now
    is_cold = _drop_from_disk_cache(settings)
    cold, *warm = [_start(settings) for _ in range(1 + max(3, setup.repeat))]
    total, imported, loaded, peak = (
        statistics.median(column) for column in zip(*warm, strict=True)
    )
    rows: list[Row] = [
        {"what": "warm start, process to loaded model", "median": total, "unit": "s"},
        {"what": "of it: importing", "median": imported, "unit": "s"},
        {"what": "of it: loading the model", "median": loaded, "unit": "s"},
        {"what": "peak memory after loading", "median": peak, "unit": "MiB"},
    ]
    notes: tuple[str, ...] = ()
    if is_cold:
        rows.insert(0, {"what": "cold start", "median": cold[0], "unit": "s"})
    else:
        notes = ("A cold start was not measured: this system can't drop files from its cache.",)
    says = (
        "Cold: the weights were dropped from the disk cache before, as far as no other process has "
        "them mapped; measured once."
    )
    return [Table(title="Start", says=says, rows=tuple(rows), notes=notes)]


def _start(settings: RuntimeSettings) -> tuple[float, float, float, float]:
    """Return seconds in all, of importing and of loading, and the peak memory in MiB."""
    words = [sys.executable, "-c", _LOAD, msgspec.json.encode(settings).decode()]
    clock = Clock()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        said = child.stdout.readline() if child.stdout else ""
        # What it takes to leave again is nobody's wait.
        total = clock.seconds
    if child.returncode != 0:
        raise ModelLoadFailed("the model can't be loaded; see above")
    imported, loaded, peak = map(float, said.split())
    return total, imported, loaded, peak


def _drop_from_disk_cache(settings: RuntimeSettings) -> bool:
    """Let the weights be read from the disk again; False where that can't be asked for."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in cache_dir(settings.cache_dir).rglob("*"):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
