"""An accelerator, all that matters once: equality, speed and memory, with weights made on the spot.

Under ten minutes and without a network: random weights at real sizes. What they say means nothing;
that both devices say the same, and how long it takes, does. Every line stands for itself: one that
fails says so in its place, and the others are measured all the same.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.bench.base import Table
from model_runtime.bench.random_models import random_base, random_family
from model_runtime.caches import CACHES
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, check_pairing, denoise
from model_runtime.devices import choose_device
from model_runtime.errors import BadRequest, RuntimeFault, UnsupportedPairing
from model_runtime.models import attention
from model_runtime.models.captured import captured_steps
from model_runtime.models.rows import base_rows
from model_runtime.samplers import SAMPLERS
from model_runtime.samplers.hybrid import Hybrid, HybridParams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_runtime.bench.base import Cell, Setup
    from model_runtime.models.canvas import CanvasDenoiser
    from model_runtime.models.gated import Rows

#: Of `bench.made.SIZES`, and of published families.
BASES = ("0.5b", "1.5b")
FAMILIES = ("dream-7b", "llada-8b")
CONTEXTS, ROWS = (256, 2048), (1, 4, 16, 64, 512)
STEP_ROWS = (1, 8, 32)
#: Runs that are measured, and those before them that are not.
N_RUNS, N_WARM = 10, 2
CANVAS, GAP, N_STEPS = 96, slice(40, 56), 8
CANVASES, N_PROMPTS = (512, 1024), 8
N_TOKENS, N_REQUESTS = 32, (1, 4, 16)
#: Logits in half precision differ from those in float32 by so much of their spread at most, in the
#: root of the mean square.
TOLERANCE = 0.05
#: Nothing new is begun after so many seconds.
BUDGET_S = 540.0

Row = dict[str, "Cell"]


def measure(setup: Setup) -> list[Table]:
    """Measure the accelerator that torch names.

    Raises:
        BadRequest: there is none.
    """
    device = choose_device(setup.settings.device)
    if device.type == "cpu":
        raise BadRequest(
            "torch finds no accelerator on this machine; `remask bench` measures the processor"
        )
    deadline = time.monotonic() + BUDGET_S
    parts: dict[str, Callable[[torch.device], Iterator[Row]]] = {
        "Equality with the processor": _equality,
        "Hybrid says what greedy says": _hybrid,
        "Every sampler and cache": _pairings,
        "Milliseconds a forward": _forwards,
        "Tokens a second, side by side": _side_by_side,
        "Captured steps against plain ones": _captured,
        "Texts of captured steps": _captured_texts,
        "flash-attn against torch's attention": _flash,
        "Weights of fewer bits": _rounded,
        "Published families at full size": _families,
    }
    tables = []
    for title, part in parts.items():
        notes: tuple[str, ...] = ()
        rows: list[Row] = []
        if time.monotonic() > deadline:
            notes = ("Not measured: the ten minutes were over.",)
        else:
            try:
                rows.extend(part(device))
            except (RuntimeError, RuntimeFault, ImportError) as error:
                notes = (f"Not measured further: {str(error).splitlines()[0][:300]}",)
            release(device)
        tables.append(
            Table(part="gpu", title=title, says=_name(device), rows=tuple(rows), notes=notes)
        )
    return tables


def _name(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"On {name}, torch {torch.__version__}, weights random."


def release(device: torch.device) -> None:
    """Give memory back between parts."""
    del device
    torch.accelerator.empty_cache()


def milliseconds(action: Callable[[], object]) -> float:
    """Return the median of some runs, each waited for."""
    taken = []
    for turn in range(N_RUNS + N_WARM):
        torch.accelerator.synchronize()
        started = time.perf_counter()
        action()
        torch.accelerator.synchronize()
        if turn >= N_WARM:
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def greedy(
    denoiser: CanvasDenoiser, prompt: list[int], params: HybridParams, n_tokens: int = N_TOKENS
) -> tuple[list[int], int]:
    """Decode behind a prompt; return the tokens and the number of forwards."""
    token_ids = torch.tensor(prompt + [denoiser.mask_id] * n_tokens)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), denoiser.mask_id)
    cache = denoiser.new_cache()
    n = denoise(denoiser, Hybrid(params), cache, canvas, Budget(), torch.Generator())
    return canvas.token_ids[len(prompt) :].tolist(), n


def prompt_of(n_tokens: int) -> list[int]:
    """Return a prompt that repeats itself, as code does."""
    return [(7 * index) % 97 + 1000 for index in range(n_tokens)]


@torch.inference_mode()
def _equality(device: torch.device) -> Iterator[Row]:
    """Compare the logits of a prompt, of a model that the processor can compute too."""
    cpu = random_base("0.5b", torch.device("cpu"), torch.float32, n_layers=4)
    there = random_base("0.5b", device, torch.bfloat16, n_layers=4)
    rows = []
    for denoiser in (cpu, there):
        hidden = denoiser.encode(prompt_of(256), denoiser.new_cache())
        rows.append(denoiser.model.logits(hidden, torch.ones(len(hidden), dtype=torch.bool)))
    difference = (rows[0] - rows[1]) / rows[0].std()
    typical = float(difference.square().mean().sqrt())
    same = float((rows[0].argmax(-1) == rows[1].argmax(-1)).float().mean())
    yield {
        "what": "4 layers of 0.5B, 256 rows",
        "typical difference / spread": typical,
        "largest": float(difference.abs().max()),
        "same best token": same,
        "within tolerance": str(typical < TOLERANCE),
    }


@torch.inference_mode()
def _hybrid(device: torch.device) -> Iterator[Row]:
    denoiser = random_base("0.5b", device, torch.bfloat16)
    n_same = n_forwards = 0
    for seed in range(N_PROMPTS):
        prompt = prompt_of(200 + 37 * seed)
        one, _ = greedy(denoiser, prompt, HybridParams(n_drafts=0))
        other, n = greedy(denoiser, prompt, HybridParams(from_canvas=False))
        n_same += one == other
        n_forwards += n
    yield {
        "prompts": N_PROMPTS, "the same text": n_same, "forwards a fill": n_forwards / N_PROMPTS,
    }  # fmt: skip


@torch.inference_mode()
def _pairings(device: torch.device) -> Iterator[Row]:
    for name in FAMILIES:
        family = random_family(name, device, torch.bfloat16, n_layers=2)
        for cache_name in sorted(family.caches):
            for rule in SAMPLERS.names():
                params: dict[str, object] = {}
                if rule == "expand":
                    params = {"expand_id": 3, "eos_id": 4}
                sampler: Any = SAMPLERS.load(rule).from_mapping(params)
                token_ids = torch.arange(CANVAS) + 100
                given = torch.ones(CANVAS, dtype=torch.bool)
                given[GAP] = False
                token_ids[~given] = family.mask_id or 0
                canvas, cache = Canvas(token_ids, given, family.mask_id), CACHES.load(cache_name)()
                try:
                    check_pairing(family, sampler, cache)
                    n = denoise(family, sampler, cache, canvas, Budget(N_STEPS), torch.Generator())
                except UnsupportedPairing:
                    continue
                yield {"family": name, "cache": cache_name, "sampler": rule, "forwards": n}


@torch.inference_mode()
def _forwards(device: torch.device) -> Iterator[Row]:
    for size in BASES:
        denoiser = random_base(size, device, torch.bfloat16)
        for n_context in CONTEXTS:
            cache = denoiser.new_cache()
            denoiser.encode(prompt_of(n_context), cache)
            row: Row = {"base": size, "context": n_context}
            for n_rows in ROWS:
                rows = base_rows(prompt_of(n_rows), n_context)
                row[f"{n_rows} rows"] = milliseconds(partial(denoiser.model.hidden, rows, cache))
            yield row | {"GB": memory_gb()}
        release(device)


def memory_gb() -> float | None:
    """Return what tensors take on the device now; None where torch can't say."""
    allocated = getattr(torch.accelerator, "memory_allocated", None)
    return None if allocated is None else allocated() / 1e9


@torch.inference_mode()
def _side_by_side(device: torch.device) -> Iterator[Row]:
    denoiser = random_base("0.5b", device, torch.bfloat16)
    for n_requests in N_REQUESTS:
        works = deque(
            partial(greedy, denoiser, prompt_of(256 + index), HybridParams(n_drafts=0))
            for index in range(n_requests)
        )
        started = time.perf_counter()
        denoiser.model.side_by_side.run(partial(_next_of, works))
        seconds = time.perf_counter() - started
        yield {"requests": n_requests, "tokens a second": n_requests * N_TOKENS / seconds}


def _next_of(works: deque[Any]) -> Any:
    return works.popleft() if works else None


def _encoded(denoiser: CanvasDenoiser, rows: Rows) -> Any:
    return denoiser.model.hidden(rows, denoiser.new_cache())


@torch.inference_mode()
def _captured(device: torch.device) -> Iterator[Row]:
    """Milliseconds of a step that is launched kernel by kernel, and of one that is replayed."""
    for size in BASES:
        denoiser = random_base(size, device, torch.bfloat16)
        model = denoiser.model
        steps = captured_steps(model)
        for n_context in CONTEXTS:
            cache = denoiser.new_cache()
            denoiser.encode(prompt_of(n_context), cache)
            for n_rows in STEP_ROWS:
                step = partial(model.hidden, base_rows(prompt_of(n_rows), n_context), cache)
                row: Row = {"base": size, "context": n_context, "rows": n_rows}
                for words, used in (("plain, ms", None), ("captured, ms", steps)):
                    model.captured = used
                    row[words] = milliseconds(step)
                yield row | {"given up": "" if steps is None else steps.given_up}
        del denoiser, model, steps
        release(device)


@torch.inference_mode()
def _captured_texts(device: torch.device) -> Iterator[Row]:
    """Compare what is said, and how fast, drafts and all."""
    denoiser = random_base("0.5b", device, torch.bfloat16)
    steps = captured_steps(denoiser.model)
    prompts, texts, speeds = [prompt_of(200 + 37 * seed) for seed in range(N_PROMPTS)], [], []
    for used in (None, steps):
        denoiser.model.captured = used
        # The first round records.
        for turn in range(2):
            started = time.perf_counter()
            said = [greedy(denoiser, one, HybridParams(from_canvas=False))[0] for one in prompts]
            if turn:
                speeds.append(N_PROMPTS * N_TOKENS / (time.perf_counter() - started))
        texts.append(said)
    n_same = sum(one == other for one, other in zip(*texts, strict=True))
    yield {
        "prompts": N_PROMPTS, "the same text": n_same, "plain, tokens a second": speeds[0],
        "captured, tokens a second": speeds[1],
        "given up": "nothing is recorded here" if steps is None else steps.given_up,
    }  # fmt: skip


@torch.inference_mode()
def _flash(device: torch.device) -> Iterator[Row]:
    flash = attention.flash_attn_func
    if flash is None or device.type != "cuda":
        yield {"flash-attn": "not installed"}
        return
    try:
        for used, words in ((flash, "with"), (None, "without")):
            attention.flash_attn_func = used
            denoiser = random_base("0.5b", device, torch.bfloat16)
            for n_context in CONTEXTS:
                rows = base_rows(prompt_of(n_context), 0)
                yield {
                    "flash-attn": words, "tokens encoded": n_context,
                    "ms": milliseconds(partial(_encoded, denoiser, rows)),
                }  # fmt: skip
    finally:
        attention.flash_attn_func = flash


@torch.inference_mode()
def _rounded(device: torch.device) -> Iterator[Row]:
    for bits in (None, 8, 4):
        denoiser = random_base("1.5b", device, torch.bfloat16, weight_bits=bits)
        cache = denoiser.new_cache()
        denoiser.encode(prompt_of(256), cache)
        rows = base_rows(prompt_of(4), 256)
        yield {
            "1.5B in": "bf16" if bits is None else f"int{bits}", "GB": memory_gb(),
            "ms, 4 rows": milliseconds(partial(denoiser.model.hidden, rows, cache)),
        }  # fmt: skip
        del denoiser, cache
        release(device)


@torch.inference_mode()
def _families(device: torch.device) -> Iterator[Row]:
    for name in FAMILIES:
        family = random_family(name, device, torch.bfloat16)
        for length in CANVASES:
            token_ids = (torch.arange(length) % 97 + 100)[None]
            yield {
                "family": name, "canvas": length, "GB": memory_gb(),
                "ms a forward": milliseconds(partial(family.predict_all, token_ids)),
            }  # fmt: skip
        del family
        release(device)
