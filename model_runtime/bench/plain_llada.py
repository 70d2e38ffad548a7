"""Families that look both ways: a plain loop without caches, and ours with the dual cache.

The plain loop is LLaDA's (Nie et al. 2025, arXiv 2502.09992, Algorithm 5, semi-autoregressive):
every step evaluates the whole canvas. The model is random and small: only the ratio means
something, and it is of speed alone.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import torch

from model_runtime.bench.base import Table
from model_runtime.bench.random_models import Drawn
from model_runtime.caches.dual import DualCache
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.evaluation.asking import Clock
from model_runtime.models.llada import Llada, LladaConfig
from model_runtime.samplers.low_confidence import LowConfidence, LowConfidenceParams

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.bench.base import Row
    from model_runtime.models.parts.masked import MaskedTransformer

CONFIG = LladaConfig(
    d_model=256, n_heads=8, n_layers=4, mlp_hidden_size=688, vocab_size=4096, mask_token_id=4095,
    max_sequence_length=512,
)  # fmt: skip
#: Tokens of the canvas, and which of them are the gap.
LENGTH = 512
GAP = range(320, 352)
#: Steps of a block: one for each token, and one for two.
BLOCK_LENGTH = 16
N_STEPS = (32, 16)


def measure_families(repeat: int) -> Table:
    """Compare the two loops on a random LLaDA."""
    model = Llada(CONFIG, Drawn())
    rows: list[Row] = []
    for n_steps in N_STEPS:
        taken: list[list[float]] = []
        for _ in range(1 + repeat):
            taken.append([])
            for fill in (fill_plainly, fill_with_dual_cache):
                token_ids, clock = gap_canvas(), Clock()
                fill(model, token_ids, n_steps, BLOCK_LENGTH)
                taken[-1].append(clock.seconds)
        plain, ours = zip(*taken[1:], strict=True)  # the first turn warms up
        rows.append(
            {
                "steps": n_steps,
                "plain loop s": statistics.median(plain),
                "dual cache s": statistics.median(ours),
                "ratio": statistics.median(one / other for one, other in taken[1:]),
            }
        )
    return Table(
        title="Families that look both ways",
        says=(
            f"A gap of {len(GAP)} tokens on a canvas of {LENGTH}, blocks of {BLOCK_LENGTH}: "
            "LLaDA's published loop, which evaluates the whole canvas at every step, and "
            "`low_confidence` with the dual cache. A random model of "
            f"{CONFIG.n_layers} layers and width {CONFIG.d_model}: only the ratio means something."
        ),
        rows=tuple(rows),
    )


def gap_canvas() -> Tensor:
    """Return [LENGTH] int64: random tokens around masks."""
    rng = torch.Generator().manual_seed(0)
    token_ids = torch.randint(0, CONFIG.mask_token_id, (LENGTH,), generator=rng)
    token_ids[GAP.start : GAP.stop] = CONFIG.mask_token_id
    return token_ids


@torch.inference_mode()
def fill_plainly(
    model: MaskedTransformer, token_ids: Tensor, n_steps: int, block_length: int
) -> Tensor:
    """Fill the masks of [length] as LLaDA's authors publish it; every forward is of all of them.

    Per step: the best token x0 = argmax f(x) at each mask of the block, its confidence
    softmax(f(x))[x0], and an even share of the masks, floor(M / S) + [i < M mod S], is committed.
    """
    blocks = (token_ids == model.mask_id).nonzero().flatten().split(block_length)
    n_each = n_steps // len(blocks)
    for block in blocks:
        n_share, n_more = divmod(len(block), n_each)
        for step in range(n_each):
            logits = model.predict_all(token_ids[None])[0]
            # A mask is no answer.
            logits[:, model.mask_id] = -torch.inf
            confidence, best = logits.softmax(-1).max(-1)
            masked = torch.zeros_like(token_ids, dtype=torch.bool)
            masked[block] = token_ids[block] == model.mask_id
            confidence[~masked] = -torch.inf
            chosen = confidence.topk(n_share + (step < n_more)).indices
            token_ids[chosen] = best[chosen]
    return token_ids


def fill_with_dual_cache(
    model: MaskedTransformer, token_ids: Tensor, n_steps: int, block_length: int
) -> Tensor:
    """Fill the masks of [length] with this project's loop."""
    canvas = Canvas(token_ids, token_ids != model.mask_id, model.mask_id)
    budget = Budget(n_steps=n_steps, block_length=block_length)
    sampler, rng = LowConfidence(LowConfidenceParams()), torch.Generator().manual_seed(0)
    denoise(model, sampler, DualCache(), canvas, budget, rng)
    return canvas.token_ids
