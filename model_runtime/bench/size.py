"""A base at full size on this machine: converted, loaded, filled with. Its weights are random."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.base import Table
from model_runtime.bench.made import SIZES, write_random_gguf
from model_runtime.errors import ModelLoadFailed
from model_runtime.weights.catalog import DEFAULT_MODEL
from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from model_runtime.bench.base import Cell, Setup

#: Of `SIZES`.
SIZE = "1.5b"
_FILL = """
import sys, time
import msgspec
from model_runtime.bench.ask import ask
from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.run import Unstoppable
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.service.process import peak_memory_bytes
from model_runtime.settings import RuntimeSettings
engine = LocalEngine(msgspec.json.decode(sys.argv[1], type=RuntimeSettings))
class Nobody:
    def notice(self, text, fraction=None): pass
started = time.perf_counter()
engine._load(Nobody(), Unstoppable())
loaded, peak = time.perf_counter(), peak_memory_bytes()
request = InfillRequest(
    id="size", prefix="def add(a, b):\\n    return ", suffix="\\n" + "x = 1\\n" * 150,
    spans=(MaskSpan(max_tokens=16),), sampler="hybrid", params={"n_repeated": 0},
)
first = ask(engine, request)
again = ask(engine, request)
print(
    loaded - started, peak / 2**20, first.seconds,
    again.seconds / max(1, again.finished.usage.n_forwards), peak_memory_bytes() / 2**20,
)
"""


def measure(setup: Setup) -> list[Table]:
    """Write the model, load it twice in processes of their own, and take it away again."""
    cache = cache_dir(setup.settings.cache_dir)
    vocabulary = ensure(DEFAULT_MODEL, folder=cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="size-") as folder:
        path = Path(folder) / f"random-{SIZE}-q8_0.gguf"
        started = time.perf_counter()
        write_random_gguf(path, SIZES[SIZE], vocabulary)
        written = time.perf_counter() - started
        n_bytes = path.stat().st_size
        settings = msgspec.structs.replace(
            setup.settings, model=str(path), cache_dir=folder, max_context_tokens=2048
        )
        first, later = _load_and_fill(settings), _load_and_fill(settings)
    rows: list[dict[str, Cell]] = [
        {"what": "the file", "figure": n_bytes / 1e9, "unit": "GB"},
        {"what": "first load: converted, packed and loaded", "figure": first[0], "unit": "s"},
        {"what": "its peak memory", "figure": first[1], "unit": "MiB"},
        {"what": "a later load", "figure": later[0], "unit": "s"},
        {"what": "its peak memory", "figure": later[1], "unit": "MiB"},
        {"what": "first fill: 16 tokens behind some 600", "figure": later[2], "unit": "s"},
        {"what": "one forward of a fill", "figure": 1000 * later[3], "unit": "ms"},
        {"what": "peak memory after the fills", "figure": later[4], "unit": "MiB"},
    ]
    says = (
        f"A Qwen2.5-Coder of {SIZE.upper()} in Q8_0, its weights random (written in {written:.0f} "
        "s). Peaks are of resident memory, the pages of the files that are mapped included. "
        "Measured once."
    )
    return [Table(part="size", title="A base at full size", says=says, rows=tuple(rows))]


def _load_and_fill(settings: object) -> list[float]:
    """Return seconds to load, the peak in MiB, seconds of a fill and a forward, the last peak."""
    words = [sys.executable, "-c", _FILL, msgspec.json.encode(settings).decode()]
    child = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode != 0:
        raise ModelLoadFailed("the model can't be loaded; see above")
    return list(map(float, child.stdout.split()))
