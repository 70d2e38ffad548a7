"""Whether an accelerator says what it should: beside the processor, and beside itself.

Random weights: what they say means nothing, that it is the same does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from model_runtime.bench.random_models import FAMILIES, random_base, random_family
from model_runtime.caches import CACHES
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, check_pairing, denoise
from model_runtime.errors import UnsupportedPairing
from model_runtime.evaluation.asking import Clock
from model_runtime.models.captured import captured_steps
from model_runtime.samplers import SAMPLERS
from model_runtime.samplers.hybrid import Hybrid, HybridParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.bench.base import Row
    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.canvas import CanvasDenoiser

CANVAS, GAP, N_STEPS = 96, slice(40, 56), 8
N_PROMPTS, N_TOKENS = 8, 32
#: Logits in half precision differ from those in float32 by so much of their spread at most, in the
#: root of the mean square.
TOLERANCE = 0.05


def greedy(
    denoiser: CanvasDenoiser, prompt: list[int], params: HybridParams, n_tokens: int = N_TOKENS
) -> tuple[list[int], int]:
    """Decode behind a prompt; return the tokens and the number of forwards."""
    token_ids = torch.tensor(prompt + [denoiser.mask_id] * n_tokens)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), denoiser.mask_id)
    cache = denoiser.new_cache()
    n = denoise(denoiser, Hybrid(params), cache, canvas, Budget(), torch.Generator())
    return canvas.token_ids[len(prompt) :].tolist(), n


def encoded(denoiser: CanvasDenoiser, n_tokens: int) -> CausalCache:
    """Return a cache that holds a prompt of so many tokens."""
    cache = denoiser.new_cache()
    denoiser.encode(prompt_of(n_tokens), cache)
    return cache


def prompt_of(n_tokens: int) -> list[int]:
    """Return a prompt that repeats itself, as code does."""
    return [(7 * index) % 97 + 1000 for index in range(n_tokens)]


def equality(device: torch.device) -> Iterator[Row]:
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


def hybrid(device: torch.device) -> Iterator[Row]:
    """Compare the texts of the hybrid with those of one token at a time."""
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


def pairings(device: torch.device) -> Iterator[Row]:
    """Run every sampler with every cache that goes with it."""
    for name in FAMILIES:
        family = random_family(name, device, torch.bfloat16, n_layers=2)
        for cache_name in sorted(family.caches):
            for rule in SAMPLERS.names():
                params: dict[str, Any] = {"expand_id": 3, "eos_id": 4} if rule == "expand" else {}
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


def captured_texts(device: torch.device) -> Iterator[Row]:
    """Compare what is said, and how fast, drafts and all."""
    denoiser = random_base("0.5b", device, torch.bfloat16)
    steps = captured_steps(denoiser.model)
    prompts, texts, speeds = [prompt_of(200 + 37 * seed) for seed in range(N_PROMPTS)], [], []
    for used in (None, steps):
        denoiser.model.captured = used
        # The first round records.
        for turn in range(2):
            clock = Clock()
            said = [greedy(denoiser, one, HybridParams(from_canvas=False))[0] for one in prompts]
            if turn:
                speeds.append(N_PROMPTS * N_TOKENS / clock.seconds)
        texts.append(said)
    n_same = sum(one == other for one, other in zip(*texts, strict=True))
    yield {
        "prompts": N_PROMPTS, "the same text": n_same, "plain, tokens a second": speeds[0],
        "captured, tokens a second": speeds[1],
        "given up": "nothing is recorded here" if steps is None else steps.given_up,
    }  # fmt: skip
