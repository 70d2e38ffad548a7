"""Path planning: at each step, decide anew which positions are masks.

P2 (Peng et al. 2025, arXiv 2502.03540) with the denoiser as its own planner, as in Open-dCoder:
after step i of S, floor(N (1 - (i + 1)/S)) open positions are masks, N being the masks at the
start: the positions whose new prediction is least confident, filled ones included. A filled
position that stays keeps its token; a mask that is not among them takes the predicted one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.canvas import Query
from model_runtime.decoding.choose import at, narrowed, pick, top
from model_runtime.decoding.filling import Filling, written
from model_runtime.samplers.base import NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Update


class P2Params(Params, frozen=True):
    """Open-dCoder infills with temperature 0.6 and top_p 0.95."""

    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0
    top_p: Share = 1.0


class P2(Sampler[Filling, P2Params]):
    """Self-planning remasking. Every open position may be masked, one that began filled as well."""

    name: ClassVar[str] = "p2"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = P2Params

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return Filling.start(block, n_steps, rng)

    def query(self, state: Filling) -> Query:
        """Ask about every open position, if there is a mask at all."""
        return Query(state.block.positions if state.n_masked else state.masked)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Mask the least confident positions and fill the others."""
        block = state.block
        temperature, top_p = self.params.temperature, self.params.top_p
        drawn = pick(
            narrowed(state.logits(prediction), temperature, top_p, 0), temperature, state.rng
        )
        confidence = at(narrowed(prediction.rows, temperature, top_p, 0), drawn)

        step_index = state.n_steps - state.steps_left
        state.steps_left -= 1
        # In float32, as published: the share decides by truncation.
        share = torch.tensor(1 - (step_index + 1) / state.n_steps)
        remask = top(-confidence, int(state.n_masked * share))
        masked = block.masked(token_ids)
        tokens = torch.where(masked, drawn, token_ids[block.positions])
        if block.mask_id is not None:
            token_ids = token_ids.index_fill(0, block.positions[remask], block.mask_id)
        done = not bool(remask.any())
        return written(token_ids, block.positions, tokens, confidence, ~remask, done=done)
