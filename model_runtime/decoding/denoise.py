"""The denoising loop: it owns the model call, cancellation, the step budget and the trace.

per block:  sampler.begin
            per step:  check -> sampler.query -> denoiser.predict -> sampler.step
                       -> canvas.apply -> cache.settle -> on_step
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.decoding.canvas import Block, Canvas, Update
from model_runtime.errors import UnsupportedPairing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_runtime.caches.base import Cache
    from model_runtime.models.base import Denoiser
    from model_runtime.samplers.base import Sampler


@dataclass(frozen=True)
class Budget:
    """How long a canvas may take.

    Args:
        n_steps: denoising steps for the whole canvas, divided over its blocks; None allows one
            step for every open position.
        block_length: open positions settled together before moving on; None takes all at once.
    """

    n_steps: int | None = None
    block_length: int | None = None


@dataclass(frozen=True)
class Step:
    """What the loop tells after each step."""

    #: Counts from 0 over all blocks.
    step_index: int
    #: Model evaluations so far (the papers' NFE).
    n_forwards: int
    canvas: Canvas
    update: Update


@torch.inference_mode()
def denoise(
    denoiser: Denoiser,
    sampler: Sampler[Any, Any],
    cache: Cache,
    canvas: Canvas,
    budget: Budget,
    rng: torch.Generator,
    *,
    check: Callable[[], None] = lambda: None,
    on_step: Callable[[Step], None] = lambda _: None,
    is_closed: Callable[[], bool] = lambda: False,
) -> int:
    """Settle every open position of `canvas`, in place, and return the number of forwards.

    Args:
        denoiser: predicts.
        sampler: decides.
        cache: must fit both; fresh, or warmed by an earlier canvas with the same context.
        canvas: changed in place, through `Canvas.apply` only.
        budget: steps and block length.
        rng: the request's only source of randomness.
        check: called before every forward; raises to stop the loop between two steps.
        on_step: called after every step.
        is_closed: whether the canvas already says where its text ends; asked after every step, and
            what is still open behind that end is left as it is.

    Raises:
        UnsupportedPairing: the sampler can't use what the denoiser predicts, or the cache does
            not fit the family.
    """
    check_pairing(denoiser, sampler, cache)
    n_forwards = 0
    for positions, n_steps in _blocks(canvas, budget, denoiser.block_length):
        block = Block(
            token_ids=canvas.token_ids,
            positions=positions,
            given=canvas.given,
            mask_id=denoiser.mask_id,
            vocab_size=denoiser.vocab_size,
        )
        state = sampler.begin(block, n_steps, rng)
        cache.begin(block)
        for _ in range(n_steps):
            check()
            query = sampler.query(state)
            if not len(query.positions):
                break
            prediction = denoiser.predict(canvas, query, cache)
            update = sampler.step(canvas.token_ids, prediction, state)
            canvas.apply(update)
            cache.settle(canvas, update)
            on_step(Step(n_forwards, n_forwards + 1, canvas, update))
            n_forwards += 1
            if is_closed():
                return n_forwards
            if update.done:
                break
    return n_forwards


def check_pairing(denoiser: Denoiser, sampler: Sampler[Any, Any], cache: Cache) -> None:
    """Refuse what does not fit together, naming what would.

    Raises:
        UnsupportedPairing: see `denoise`.
    """
    if not sampler.accepts & denoiser.kinds:
        raise UnsupportedPairing(
            f"sampler {sampler.name!r} needs {' or '.join(sorted(sampler.accepts))}, but the "
            f"{denoiser.name!r} family predicts {' or '.join(sorted(denoiser.kinds))}"
        )
    if sampler.ordered and not denoiser.ordered:
        raise UnsupportedPairing(
            f"sampler {sampler.name!r} decodes in an order of its own, which the "
            f"{denoiser.name!r} family can't be asked for"
        )
    if denoiser.mask_id is None and not sampler.uniform_noise:
        raise UnsupportedPairing(
            f"sampler {sampler.name!r} fills masks, and the {denoiser.name!r} family has none"
        )
    if cache.name not in denoiser.caches:
        raise UnsupportedPairing(
            f"cache {cache.name!r} does not fit the {denoiser.name!r} family; "
            f"allowed: {', '.join(sorted(denoiser.caches))}"
        )


def _blocks(
    canvas: Canvas, budget: Budget, family_block_length: int | None
) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield each block's open positions and its share of the steps, earlier blocks one more.

    Where a family sees no later block than its own, its blocks are the blocks.
    """
    open_positions = canvas.open_positions()
    n_open = len(open_positions)
    if n_open == 0:
        return
    if family_block_length is None:
        blocks = open_positions.split(budget.block_length or n_open)
    else:
        _, sizes = (open_positions // family_block_length).unique_consecutive(return_counts=True)
        blocks = open_positions.split(sizes.tolist())
    n_steps = n_open if budget.n_steps is None else max(budget.n_steps, len(blocks))
    share, rest = divmod(n_steps, len(blocks))
    length = canvas.length
    for index, positions in enumerate(blocks):
        # A block that grew or shrank has moved those behind it.
        yield positions + (canvas.length - length), share + (index < rest)
