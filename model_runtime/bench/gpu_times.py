"""How long an accelerator takes, and how much memory, with random weights at real sizes."""

from __future__ import annotations

import statistics
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.bench.gpu_texts import N_TOKENS, encoded, greedy, prompt_of
from model_runtime.bench.random_models import FAMILIES, random_base, random_family
from model_runtime.evaluation.asking import Clock
from model_runtime.models import attention
from model_runtime.models.captured import captured_steps
from model_runtime.models.rows import base_rows
from model_runtime.samplers.hybrid import HybridParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_runtime.bench.base import Row
    from model_runtime.models.canvas import CanvasDenoiser
    from model_runtime.models.gated import Rows

#: Of `bench.made.SIZES`.
BASES = ("0.5b", "1.5b")
CONTEXTS, ROWS = (256, 2048), (1, 4, 16, 64, 512)
STEP_ROWS = (1, 8, 32)
#: Runs that are measured, and those before them that are not.
N_RUNS, N_WARM = 10, 2
CANVASES, N_REQUESTS = (512, 1024), (1, 4, 16)


def milliseconds(action: Callable[[], object]) -> float:
    """Return the median of some runs, each waited for."""
    taken = []
    for turn in range(N_RUNS + N_WARM):
        torch.accelerator.synchronize()
        clock = Clock()
        action()
        torch.accelerator.synchronize()
        if turn >= N_WARM:
            taken.append(1000 * clock.seconds)
    return statistics.median(taken)


def memory_gb() -> float | None:
    """Return what tensors take on the device now; None where torch can't say."""
    allocated = getattr(torch.accelerator, "memory_allocated", None)
    return None if allocated is None else allocated() / 1e9


def forwards(device: torch.device) -> Iterator[Row]:
    """Measure forwards, by rows and by context."""
    for size in BASES:
        denoiser = random_base(size, device, torch.bfloat16)
        for n_context in CONTEXTS:
            cache = encoded(denoiser, n_context)
            row: Row = {"base": size, "context": n_context}
            for n_rows in ROWS:
                rows = base_rows(prompt_of(n_rows), n_context)
                row[f"{n_rows} rows"] = milliseconds(partial(denoiser.model.hidden, rows, cache))
            yield row | {"GB": memory_gb()}
        torch.accelerator.empty_cache()


def side_by_side(device: torch.device) -> Iterator[Row]:
    """Measure what several requests together get."""
    denoiser = random_base("0.5b", device, torch.bfloat16)
    for n_requests in N_REQUESTS:
        works = deque(
            partial(greedy, denoiser, prompt_of(256 + index), HybridParams(n_drafts=0))
            for index in range(n_requests)
        )
        clock = Clock()
        denoiser.model.side_by_side.run(partial(_next_of, works))
        speed = n_requests * N_TOKENS / clock.seconds
        yield {"requests": n_requests, "tokens a second": speed}


def _next_of(works: deque[Any]) -> Any:
    return works.popleft() if works else None


def captured(device: torch.device) -> Iterator[Row]:
    """Milliseconds of a step that is launched kernel by kernel, and of one that is replayed."""
    for size in BASES:
        denoiser = random_base(size, device, torch.bfloat16)
        model = denoiser.model
        steps = captured_steps(model)
        for n_context in CONTEXTS:
            cache = encoded(denoiser, n_context)
            for n_rows in STEP_ROWS:
                step = partial(model.hidden, base_rows(prompt_of(n_rows), n_context), cache)
                row: Row = {"base": size, "context": n_context, "rows": n_rows}
                for words, used in (("plain, ms", None), ("captured, ms", steps)):
                    model.captured = used
                    row[words] = milliseconds(step)
                yield row | {"given up": "" if steps is None else steps.given_up}
        del denoiser, model, steps
        torch.accelerator.empty_cache()


def _encode(denoiser: CanvasDenoiser, rows: Rows) -> object:
    return denoiser.model.hidden(rows, denoiser.new_cache())


def flash(device: torch.device) -> Iterator[Row]:
    """Measure attention with flash-attn and without."""
    theirs = attention.flash_attn_func
    if theirs is None or device.type != "cuda":
        yield {"flash-attn": "not installed"}
        return
    try:
        for used, words in ((theirs, "with"), (None, "without")):
            attention.flash_attn_func = used
            denoiser = random_base("0.5b", device, torch.bfloat16)
            for n_context in CONTEXTS:
                ms = milliseconds(partial(_encode, denoiser, base_rows(prompt_of(n_context), 0)))
                yield {"flash-attn": words, "tokens encoded": n_context, "ms": ms}
    finally:
        attention.flash_attn_func = theirs


def rounded(device: torch.device) -> Iterator[Row]:
    """Measure weights of 16, 8 and 4 bits."""
    for bits in (None, 8, 4):
        denoiser = random_base("1.5b", device, torch.bfloat16, weight_bits=bits)
        cache, rows = encoded(denoiser, 256), base_rows(prompt_of(4), 256)
        yield {
            "1.5B in": "bf16" if bits is None else f"int{bits}", "GB": memory_gb(),
            "ms, 4 rows": milliseconds(partial(denoiser.model.hidden, rows, cache)),
        }  # fmt: skip
        del denoiser, cache
        torch.accelerator.empty_cache()


def families(device: torch.device) -> Iterator[Row]:
    """Measure whole canvases."""
    for name in FAMILIES:
        family = random_family(name, device, torch.bfloat16)
        for length in CANVASES:
            token_ids = (torch.arange(length) % 97 + 100)[None]
            yield {
                "family": name, "canvas": length, "GB": memory_gb(),
                "ms a forward": milliseconds(partial(family.predict_all, token_ids)),
            }  # fmt: skip
        del family
        torch.accelerator.empty_cache()
