"""Commit the masks in a random order that is fixed at the start, a few at each of many small steps.

Masked diffusion reveals masks independently of what they hold: a uniformly random permutation, in
groups. Hence it is an any-order autoregressive model (Ou et al. 2024, arXiv 2406.03736, section 3.3
and Theorem 2), and the order may as well be drawn first. Every forward sees the whole canvas in
both directions. It stands for the full-MDM row of the field: large systems run it over about a
hundred steps; any number will do, and there are never more forwards than masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.canvas import Query
from model_runtime.decoding.choose import draw_tokens
from model_runtime.decoding.filling import Filling
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import NonNegative, Params, Sampler

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Update


class PermutationParams(Params, frozen=True):
    """The order is the generator's."""

    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0


class Permutation(Sampler[Filling, PermutationParams]):
    """A fixed random order."""

    name: ClassVar[str] = "permutation"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = PermutationParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """Draw the order."""
        state = Filling.start(block, n_steps, rng)
        order = torch.randperm(state.n_masked, generator=rng, device=rng.device)
        state.masked = state.masked[order.to(state.masked.device)]
        return state

    def query(self, state: Filling) -> Query:
        """Ask about the next positions of the order and no others."""
        return Query(state.masked[: quota(state.n_masked, state.steps_left)])

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Commit what was asked about."""
        logits = state.logits(prediction)
        tokens, confidence = draw_tokens(logits, self.params.temperature, state.rng)
        return state.commit(token_ids, tokens, confidence, torch.ones_like(tokens).bool())
