"""`remask bench`: what this machine gives, measured in one run, as ratios where it can.

Machines are noisy: every figure is the median of several repetitions, the ways to decode take
turns, and the ratio to one-token-at-a-time decoding of the same base in the same engine is the
figure to quote. Nothing here is asserted; tests never time.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.bench.server import measure_server
from model_runtime.bench.table import Row, markdown
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.engines.loading import load_default
from model_runtime.engines.local import LocalEngine
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import add_flags, flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from model_runtime.engines.loading import LoadedModel
    from model_runtime.protocol import Finished
    from model_runtime.settings import RuntimeSettings

N_CONTEXT_TOKENS = 300
ROWS = (1, 4, 8, 16, 32)
#: The ways to decode, the one to compare with first.
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "one token at a time": ("hybrid", {"n_drafts": 0}),
    "hybrid": ("hybrid", {}),
    "low_confidence, threshold 0.9": ("low_confidence", {"threshold": 0.9}),
}
#: Functions with their body taken out; the context is filled up with the lines before them.
GAPS = (
    ('def celsius_to_kelvin(celsius):\n    """Convert degrees Celsius to kelvin."""\n    ', True),
    ('def read_lines(path):\n    """Return the lines of a text file."""\n    ', False),
    ("def is_palindrome(text):\n    return ", True),
    ("class Point:\n    def __init__(self, x, y):\n        ", False),
    ("for name in sorted(names):\n    print(", True),
)
FILLER = '    def count_{0}(self) -> int:\n        """Return how many {0}."""\n        return 0\n\n'


class Quiet:
    """A listener and a token that take everything and stop nothing."""

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Take no notice."""

    def step(self, report: object) -> None:
        """Look at no step."""

    def check(self) -> None:
        """Never stop."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, help="write the table here too, as .json and .md")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each measurement")
    add_flags(parser)


def main(arguments: argparse.Namespace) -> int:
    """Measure, print the table, write it; return the exit status."""
    settings = load_settings(flags_of(arguments))
    rows = [
        *measure_server(arguments.repeat),
        *_start(settings, arguments.repeat),
        *_forwards(load_default(settings, Quiet().notice), arguments.repeat),
        *_fills(settings, arguments.repeat),
    ]
    machine = describe_machine(settings)
    print(markdown(rows, machine))  # noqa: T201  # the command's output
    if arguments.out:
        report = {"machine": machine, "rows": [vars(row) for row in rows]}
        arguments.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
        arguments.out.with_suffix(".md").write_text(markdown(rows, machine) + "\n")
    return 0


def describe_machine(settings: RuntimeSettings) -> str:
    """Say what was measured on, when, and what was not."""
    n_threads = settings.threads or torch.get_num_threads()
    return (
        f"{platform.machine()}, {n_threads} threads, {platform.system()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}. "
        "Not measured: CUDA."
    )


def _median_s(action: Callable[[], object], n_times: int) -> float:
    action()
    times = []
    for _ in range(n_times):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _start(settings: RuntimeSettings, n_times: int) -> list[Row]:
    """Load the model in fresh processes: what a warm start takes, weights on the disk."""
    code = (
        "import resource, sys\n"
        "from model_runtime.engines.loading import load_default\n"
        "from model_runtime.settings import RuntimeSettings\n"
        "import msgspec\n"
        "settings = msgspec.json.decode(sys.argv[1], type=RuntimeSettings)\n"
        "load_default(settings, lambda *_: None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    words = [sys.executable, "-c", code, json.dumps({"cache_dir": settings.cache_dir})]
    started, peaks = [], []
    for _ in range(min(3, n_times) + 1):
        before = time.perf_counter()
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        started.append(time.perf_counter() - before)
        peaks.append(int(done.stdout) / 1024)
    return [
        Row("runtime: first start", started[0], "s", "disk cache as it was found"),
        Row("runtime: warm start", statistics.median(started[1:]), "s"),
        Row("runtime: peak memory after loading", statistics.median(peaks), "MiB"),
    ]


@torch.inference_mode()
def _forwards(model: LoadedModel, n_times: int) -> list[Row]:
    """Encode a context and run forwards of several rows behind it."""
    denoiser = model.denoiser
    text = "".join(FILLER.format(f"item_{index}") for index in range(N_CONTEXT_TOKENS))
    context = model.layout.template.tokenizer.encode(text)[:N_CONTEXT_TOKENS]
    seconds = _median_s(lambda: denoiser.encode(context, denoiser.new_cache()), n_times)
    rows = [Row(f"context of {N_CONTEXT_TOKENS} tokens", seconds * 1e3, "ms")]
    cache = denoiser.new_cache()
    for n_rows in ROWS:
        # Base rows behind a context: what a check of so many drafts costs, the head included.
        token_ids = torch.tensor(context + context[:n_rows])
        canvas = Canvas(token_ids, torch.ones_like(token_ids, dtype=torch.bool), denoiser.mask_id)
        positions = torch.arange(len(context) + 1, len(context) + 1 + n_rows)
        query = Query(positions, visible=positions)

        def forward(canvas: Canvas = canvas, query: Query = query) -> None:
            cache.rewind(context)
            denoiser.predict(canvas, query, cache)

        rows.append(Row(f"forward of {n_rows} rows", _median_s(forward, n_times) * 1e3, "ms"))
    return rows


def _fills(settings: RuntimeSettings, n_times: int) -> list[Row]:
    """Fill gaps each way, taking turns."""
    engine = LocalEngine(settings)
    seconds: dict[str, list[float]] = {name: [] for name in DECODERS}
    tokens: dict[str, list[int]] = {name: [] for name in DECODERS}
    forwards: dict[str, list[int]] = {name: [] for name in DECODERS}
    one_line: dict[str, list[float]] = {name: [] for name in DECODERS}
    filler = "".join(FILLER.format(f"item_{index}") for index in range(8))
    for repetition in range(n_times + 1):
        for index, (gap, single_line) in enumerate(GAPS):
            for name, (sampler, params) in DECODERS.items():
                started = time.perf_counter()
                done = _fill(engine, filler + gap, sampler, params, single_line=single_line)
                if repetition == 0:
                    continue  # warm-up
                took = time.perf_counter() - started
                seconds[name].append(took)
                tokens[name].append(done.usage.n_tokens)
                forwards[name].append(done.usage.n_forwards)
                if index == 0:
                    one_line[name].append(took)
    base, *_ = DECODERS
    base_pace = sum(seconds[base]) / sum(tokens[base])
    rows = []
    for name in DECODERS:
        pace = sum(seconds[name]) / sum(tokens[name])
        rows += [
            Row(f"{name}: a one-line fill", statistics.median(one_line[name]), "s", "context new"),
            Row(f"{name}: seconds a token", pace, "s", f"{base_pace / pace:.2f} times {base}"),
            Row(f"{name}: forwards a token", sum(forwards[name]) / sum(tokens[name]), ""),
        ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*rows, Row("peak memory after all fills", peak, "MiB")]


def _fill(
    engine: LocalEngine, prefix: str, sampler: str, params: dict[str, Any], *, single_line: bool
) -> Finished:
    """Fill one gap, its context not in the cache."""
    quiet = Quiet()
    engine.forget()
    request = InfillRequest(
        id="bench",
        prefix=prefix,
        suffix="\n\n\ndef main():\n    pass\n",
        spans=(MaskSpan(single_line=single_line, max_tokens=48),),
        sampler=sampler,
        params=params,
        seed=0,
    )
    return engine.infill(request, quiet, quiet)
