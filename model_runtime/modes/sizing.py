"""How long a span is, and in how many steps it is settled.

Where a canvas says itself where a fill ends, the span is as long as a fill may get. Where a span is
as long as its fill there are two ways: a rule that grows and shrinks it begins with a few masks,
and for the others several lengths are tried (`decoding.lengths`).

The published step budgets are one token a step, or about that. Here a rule that commits the surest
first gets half as many steps as positions, and is to commit whatever it is sure of besides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from model_runtime.decoding.denoise import Budget
from model_runtime.decoding.lengths import choose_length

if TYPE_CHECKING:
    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import LaidOut

#: Positions settled together by rules that look at a whole block at once.
BLOCK_LENGTH = 16
#: Masks that a span may be given, what one that grows begins with, and what one gets whose length
#: can't be asked about.
LENGTHS = (2, 4, 8, 16, 32, 64, 128)
FIRST_LENGTH = 8
FIXED_LENGTH = 16
#: Tokens that a step settles at least, of a rule that commits the surest first.
AT_ONCE = 2


def fitted(job: Job, laid_out: LaidOut, sampler: AnySampler) -> tuple[LaidOut, AnySampler]:
    """Return a canvas whose span is as long as its fill may be, and the sampler bound to that.

    Args:
        job: on its way.
        laid_out: its span open as far as there is room, or with a text to start from.
        sampler: decides.
    """
    if not laid_out.is_sized or laid_out.is_fitted:
        return laid_out, sampler
    span = laid_out.canvas.token_ids[laid_out.span]
    n_head = int(laid_out.canvas.given[laid_out.span].sum())
    head_ids, n_most = span[:n_head].tolist(), laid_out.n_open - n_head
    if sampler.grows:
        n_room = min(sampler.params.max_tokens, n_most)
        sampler = type(sampler)(msgspec.structs.replace(sampler.params, max_tokens=n_room))
        length = min(FIRST_LENGTH, n_room)
    elif not job.model.denoiser.judges:
        length = min(FIXED_LENGTH, n_most)
    else:
        length = _asked(job, laid_out, head_ids, n_most)
    resumed = laid_out.resumed(head_ids, length, (), laid_out.known)
    return replace(resumed, is_fitted=True), sampler


def _asked(job: Job, laid_out: LaidOut, head_ids: list[int], n_most: int) -> int:
    """Return the length that the model is surest of."""
    mask_id = job.model.denoiser.mask_id or 0
    lengths = [length for length in LENGTHS if length <= n_most] or [n_most]
    with job.counted():
        return choose_length(
            lambda gaps: job.model.denoiser.predict_between(
                laid_out.context, gaps, laid_out.behind, job.cache, job.cancel.check
            ),
            mask_id,
            lambda n_masks: [*head_ids, *[mask_id] * n_masks],
            lengths,
        )


def budget_of(laid_out: LaidOut, sampler: AnySampler) -> Budget:
    """Return in how many steps, and how many positions at a time, a canvas is settled."""
    if sampler.ordered:
        return Budget()
    if not laid_out.is_sized:
        return Budget(block_length=BLOCK_LENGTH)
    n_open = int((~laid_out.canvas.given).sum())
    if sampler.grows:
        # A canvas that grows needs more than it begins with.
        return Budget(n_steps=2 * sampler.params.max_tokens)
    if sampler.surest_first:
        return Budget(n_steps=max(1, -(-n_open // AT_ONCE)))
    return Budget()
