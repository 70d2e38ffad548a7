"""Running the loop on a small canvas, and keeping every canvas on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from support.table_denoiser import TableDenoiser

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, Step, denoise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.models.base import Denoiser
    from model_runtime.samplers.base import Sampler

VOCAB_SIZE, MASK = 12, 11


@dataclass
class Run:
    """What a run left."""

    canvas: Canvas
    n_forwards: int = 0
    #: Token ids after each step.
    trajectory: list[list[int]] = field(default_factory=list)


def canvas_of(token_ids: Sequence[int], *, open_positions: Sequence[int] = ()) -> Canvas:
    """Return a canvas on which masks and `open_positions` are open and all else is given."""
    ids = torch.tensor(token_ids)
    given = ids != MASK
    given[list(open_positions)] = False
    return Canvas(ids, given, MASK)


def run(
    sampler: Sampler[Any, Any],
    canvas: Canvas,
    budget: Budget | None = None,
    *,
    seed: int = 0,
    denoiser: Denoiser | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Run:
    """Denoise a canvas, by a table that the seed makes unless there is a denoiser."""
    done = Run(canvas)

    def note(step: Step) -> None:
        done.trajectory.append(step.canvas.token_ids.tolist())
        on_step(step)

    done.n_forwards = denoise(
        denoiser or TableDenoiser(VOCAB_SIZE, MASK, seed=seed),
        sampler,
        NoCache(),
        canvas,
        budget or Budget(),
        torch.Generator().manual_seed(seed),
        on_step=note,
    )
    return done
