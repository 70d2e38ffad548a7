"""A base at full size on this machine: converted, loaded, filled with. Its weights are random."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.apart import apart
from model_runtime.bench.base import Table
from model_runtime.bench.made import SIZES, write_random_gguf
from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.asking import Clock, Patient, ask
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.service.process import peak_memory_bytes
from model_runtime.weights.catalog import DEFAULT_MODEL
from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from model_runtime.bench.base import Row, Setup
    from model_runtime.settings import RuntimeSettings

#: Of `SIZES`.
SIZE = "1.5b"


def measure(setup: Setup) -> list[Table]:
    """Write the model, load it twice in processes of their own, and take it away again."""
    cache = cache_dir(setup.settings.cache_dir)
    vocabulary = ensure(DEFAULT_MODEL, folder=cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="size-") as folder:
        path = Path(folder) / f"random-{SIZE}-q8_0.gguf"
        clock = Clock()
        write_random_gguf(path, SIZES[SIZE], vocabulary)
        written = clock.seconds
        n_bytes = path.stat().st_size
        settings = msgspec.structs.replace(
            setup.settings, model=str(path), cache_dir=folder, max_context_tokens=2048
        )
        first, later = (apart(load_and_fill, settings) for _ in range(2))
    rows: list[Row] = [
        {"what": what, "figure": figure, "unit": unit, "processor": computed}
        for what, unit, figure, computed in (
            ("the file", "GB", n_bytes / 1e9, None),
            ("first load: converted, packed and loaded", "s", first[0], first[1]),
            ("its peak memory", "MiB", first[2], None),
            ("a later load", "s", later[0], later[1]),
            ("its peak memory", "MiB", later[2], None),
            ("first fill: 16 tokens behind some 600", "s", later[3], later[4]),
            ("one forward of a fill", "ms", 1000 * later[5], 1000 * later[6]),
            ("peak memory after the fills", "MiB", later[7], None),
        )
    ]
    says = (
        f"A Qwen2.5-Coder of {SIZE.upper()} in Q8_0, its weights random (written in {written:.0f} "
        "s). Peaks are of resident memory, the pages of the files that are mapped included. The "
        "processor's own time tells what is left of the other on a machine that nobody else uses. "
        "Measured once."
    )
    return [Table(title="A base at full size", says=says, rows=tuple(rows))]


def load_and_fill(settings: RuntimeSettings) -> list[float]:
    """Return seconds to load, the peak in MiB, seconds of a fill and a forward, the last peak.

    Behind each of the seconds those that the processor computed.
    """
    client, engine, clock = Patient(), LocalEngine(settings), Clock()
    engine._load(client, client)  # noqa: SLF001  # as a request does
    loaded, load_computed, peak = clock.seconds, clock.processor_s, peak_memory_bytes()
    request = InfillRequest(
        id="size", prefix="def add(a, b):\n    return ", suffix="\n" + "x = 1\n" * 150,
        spans=(MaskSpan(max_tokens=16),), sampler="hybrid", params={"n_repeated": 0},
    )  # fmt: skip
    first, again = ask(engine, request), ask(engine, request)
    n_forwards = max(1, again.finished.usage.n_forwards)
    return [
        loaded, load_computed, peak / 2**20, first.seconds, first.processor_s,
        again.seconds / n_forwards, again.processor_s / n_forwards, peak_memory_bytes() / 2**20,
    ]  # fmt: skip
