"""Reveal part of the masks in random order, several at once, and the rest from left to right.

Eso-LM (Sahoo et al. 2025, arXiv 2506.01928), sections 3.2 and 4.2, Algorithm 2: alpha_t = alpha_0
(1 - (1 - eps) t). In the diffusion phase, step i of T reveals Binomial(n_left, (alpha_s - alpha_t)
/ (1 - alpha_t)) masks of a random order (eq. 5), t = 1 - i/T; steps that reveal none are left out.
What it leaves, a share of about 1 - alpha_0, is revealed one by one from the left: the sequential
phase. alpha_0 = 1 is masked diffusion, alpha_0 = 0 an autoregressive model.

The whole order is drawn at the start. Row k sees, as clean, exactly what was revealed before this
step (`Query.visible`), and what it saw at one step it sees at every later one: so a family that
attends along the order keeps keys and values in both phases. A family that does not, sees the same
clean tokens on the canvas as it stands.

The steps are shared so that both phases are expected to fit: n_steps less the expected length of
the sequential phase are diffusion steps. Where the draw leaves more tokens than steps, the
sequential phase reveals them in even groups, the one departure from the paper.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.canvas import Query
from model_runtime.decoding.choose import at, narrowed, pick, uniform
from model_runtime.decoding.filling import Filling
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Update


class EsoParams(Params, frozen=True):
    """The published sampler draws at temperature 1 from a nucleus of 0.9."""

    #: The share that the diffusion phase is expected to reveal.
    alpha_0: Share = 1.0
    #: See `alpha`.
    eps: Share = 1e-3
    #: 0 takes the most probable token.
    temperature: NonNegative = 1.0
    top_p: Share = 0.9


@dataclass
class Sorted(Filling):
    """A block whose masks stand in the order in which they are revealed."""

    #: [length] int64, all positions: settled ones, the block's masks in their order, the others.
    order: Tensor = field(kw_only=True)
    #: Settled positions of the canvas: the part of `order` that is clean.
    n_clean: int = field(kw_only=True)
    #: How many masks each coming step of the diffusion phase reveals.
    sizes: deque[int] = field(kw_only=True)

    @classmethod
    def lay_out(
        cls, block: Block, n_steps: int, rng: torch.Generator, masked: Tensor, sizes: list[int]
    ) -> Sorted:
        """Sort the masks that the diffusion phase leaves, and put all positions in order.

        Args:
            block: as the loop gives it.
            n_steps: as the loop gives it.
            rng: as the loop gives it.
            masked: [n_masked] int64: the block's masked positions, in random order.
            sizes: of the steps of the diffusion phase.
        """
        first, tail = masked.tensor_split([sum(sizes)])
        masked = torch.cat([first, tail.sort().values])
        unsettled = block.token_ids.eq(block.require_mask())
        others = unsettled.index_fill(0, masked, 0).nonzero().squeeze(1)
        settled = (~unsettled).nonzero().squeeze(1)
        return cls(
            block,
            n_steps,
            n_steps,
            rng,
            masked,
            order=torch.cat([settled, masked, others]),
            n_clean=len(settled),
            sizes=deque(sizes),
        )

    def n_next(self) -> int:
        """Return how many masks the coming step reveals."""
        if self.sizes and self.steps_left > 1:
            return self.sizes[0]
        return quota(self.n_masked, self.steps_left)


class Eso(Sampler[Sorted, EsoParams]):
    """Eso-LM's two phases."""

    name: ClassVar[str] = "eso"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = EsoParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Sorted:
        """Draw the order and the sizes of the diffusion steps."""
        masked = block.positions[block.masked(block.token_ids)]
        alpha_0, n_masked = self.params.alpha_0, len(masked)
        n_diffusion = max(1, n_steps - math.ceil((1 - alpha_0) * n_masked))
        sizes = draw_sizes(n_masked, reveal_chances(alpha_0, self.params.eps, n_diffusion), rng)
        order = torch.randperm(n_masked, generator=rng, device=rng.device)
        return Sorted.lay_out(block, n_steps, rng, masked[order.to(masked.device)], sizes)

    def query(self, state: Sorted) -> Query:
        """Ask about the next masks of the order, behind what was revealed before."""
        positions = state.masked[: state.n_next()]
        visible = torch.full_like(positions, state.n_clean)
        return Query(positions, visible=visible, order=state.order)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Sorted) -> Update:
        """Reveal what was asked about."""
        probabilities = narrowed(
            state.logits(prediction), self.params.temperature, self.params.top_p, 0
        )
        tokens = pick(probabilities, self.params.temperature, state.rng)
        if state.sizes:
            state.sizes.popleft()
        state.n_clean += len(tokens)
        chosen = torch.ones_like(tokens, dtype=torch.bool)
        return state.commit(token_ids, tokens, at(probabilities, tokens), chosen)


def alpha(alpha_0: float, eps: float, time: float) -> float:
    """Return the share of tokens that noise has left at `time`; eps is that of `LogLinearNoise`."""
    return alpha_0 * (1 - (1 - eps) * time)


def reveal_chances(alpha_0: float, eps: float, n_steps: int) -> list[float]:
    """Return the probability with which each step of the diffusion phase reveals a mask."""
    times = [1 - step_index / n_steps for step_index in range(n_steps + 1)]
    shares = [alpha(alpha_0, eps, time) for time in times]
    return [(after - now) / (1 - now) for now, after in itertools.pairwise(shares)]


def draw_sizes(n_masked: int, chances: list[float], rng: torch.Generator) -> list[int]:
    """Return how many masks each step reveals; steps that reveal none are left out."""
    sizes: list[int] = []
    for chance in chances:
        n_left = n_masked - sum(sizes)
        sizes.append(int((uniform(n_left, rng, rng.device) < chance).sum()))
    return [size for size in sizes if size > 0]
