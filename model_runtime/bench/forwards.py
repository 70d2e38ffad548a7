"""What one forward costs, by rows and by context."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import torch

from model_runtime.bench.base import Table, at_each
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.evaluation.asking import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.bench.base import Row, Setup
    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.canvas import CanvasDenoiser

ROWS = (1, 4, 8, 16, 32, 64)
#: Turns of each number of rows for each repetition: a forward takes milliseconds.
N_TURNS = 4
#: Tokens of text to have too many: prompts have some that are no text, and some run together.
SPARE = 16


@torch.inference_mode()
def measure(setup: Setup) -> list[Table]:
    """Measure the encoding of contexts, and forwards of several rows behind them."""
    denoiser, cutter = setup.with_room().model().denoiser, setup.with_room().cutter()
    n_wanted = setup.contexts[-1] + ROWS[-1] + SPARE
    gap = cutter.behind(next(cutter.cut(ROWS[-1])), n_wanted)
    token_ids = cutter.tokenizer.encode(gap.prefix + gap.suffix)
    encoded: list[Row] = []
    rows: list[Row] = []
    for n_context in setup.contexts:
        context = token_ids[:n_context]
        n_encodes = at_each(n_context, setup.repeat)
        ms = _median_ms([_encode(denoiser, context)[1] for _ in range(1 + n_encodes)][1:])
        encoded.append({"tokens of context": n_context, "ms": ms, "ms a token": ms / n_context})
        cache, _ = _encode(denoiser, context)
        seconds: dict[int, list[float]] = {n_rows: [] for n_rows in ROWS}
        for turn in range(1 + N_TURNS * setup.repeat):
            for n_rows in ROWS:
                second = _forward(denoiser, token_ids, n_context, n_rows, cache)
                if turn:  # the first one warms up
                    seconds[n_rows].append(second)
        one_row_ms = _median_ms(seconds[ROWS[0]])
        for n_rows, taken in seconds.items():
            pairs = zip(taken, seconds[ROWS[0]], strict=True)
            ratio = statistics.median(many / one for many, one in pairs)
            ms = _median_ms(taken)
            rows.append(
                {
                    "tokens of context": n_context,
                    "rows": n_rows,
                    "ms": ms,
                    "times one row": ratio,
                    "rows in the time of one, each": n_rows * one_row_ms / ms,
                }
            )
    return [
        Table(
            title="A forward, by rows",
            says=(
                "Rows of the base behind a context that is in the cache, the vocabulary projection "
                "of every row included: what a check of so many drafts costs."
            ),
            rows=tuple(rows),
        ),
        Table(
            title="Encoding a context",
            says="What a request pays whose context is not in the cache, before its first token.",
            rows=tuple(encoded),
        ),
    ]


def _encode(denoiser: CanvasDenoiser, context: list[int]) -> tuple[CausalCache, float]:
    cache, clock = denoiser.new_cache(), Clock()
    denoiser.encode(context, cache)
    return cache, clock.seconds


def _forward(
    denoiser: CanvasDenoiser, token_ids: list[int], n_context: int, n_rows: int, cache: CausalCache
) -> float:
    """Run one forward of base rows and return its seconds."""
    fed = torch.tensor(token_ids[: n_context + n_rows])
    canvas = Canvas(fed, torch.ones_like(fed, dtype=torch.bool), denoiser.mask_id)
    # The row that predicts a position is fed the token before it.
    positions = torch.arange(n_context + 1, n_context + 1 + n_rows)
    cache.rewind(token_ids[:n_context])
    clock = Clock()
    denoiser.predict(canvas, Query(positions, visible=positions), cache)
    return clock.seconds


def _median_ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1e3
