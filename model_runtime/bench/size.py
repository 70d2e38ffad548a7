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
        first = apart(load_and_fill, settings, "first load: converted, packed and loaded")
        later = apart(load_and_fill, settings, "a later load")
    # The fills of the first process say nothing that those of the later one don't.
    rows = [_row("the file", "GB", n_bytes / 1e9), *first[:2], *later]
    says = (
        f"A Qwen2.5-Coder of {SIZE.upper()} in Q8_0, its weights random (written in {written:.0f} "
        "s). Peaks are of resident memory, the pages of the files that are mapped included. The "
        "processor's own time tells what is left of the other on a machine that nobody else uses. "
        "Measured once."
    )
    return [Table(title="A base at full size", says=says, rows=tuple(rows))]


def load_and_fill(settings: RuntimeSettings, name: str) -> list[Row]:
    """Load the model and fill with it; return what each took, the load under a name."""
    client, engine, clock = Patient(), LocalEngine(settings), Clock()
    engine._load(client, client)  # noqa: SLF001  # as a request does
    rows = [_row(name, "s", clock.seconds, clock.processor_s), _peak("its peak memory")]
    request = InfillRequest(
        id="size", prefix="def add(a, b):\n    return ", suffix="\n" + "x = 1\n" * 150,
        spans=(MaskSpan(max_tokens=16),), sampler="hybrid", params={"n_repeated": 0},
    )  # fmt: skip
    first, again = ask(engine, request), ask(engine, request)
    ms = 1000 / max(1, again.finished.usage.n_forwards)
    return [
        *rows,
        _row("first fill: 16 tokens behind some 600", "s", first.seconds, first.processor_s),
        _row("one forward of a fill", "ms", ms * again.seconds, ms * again.processor_s),
        _peak("peak memory after the fills"),
    ]


def _peak(what: str) -> Row:
    return _row(what, "MiB", peak_memory_bytes() / 2**20)


def _row(what: str, unit: str, figure: float, computed: float | None = None) -> Row:
    """Return a figure, and behind seconds those that the processor computed."""
    return {"what": what, "figure": figure, "unit": unit, "processor": computed}
