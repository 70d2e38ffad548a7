"""Reveal masks as MDLM does, and mask settled tokens again, so that they can be corrected.

ReMDM (Wang et al. 2025, arXiv 2503.00307), eq. 6: with alpha_t = 1 - t, and sigma the probability
that a settled token is masked again, a settled token stays with 1 - sigma, and a mask becomes x0
with (alpha_s - (1 - sigma) alpha_t) / (1 - alpha_t). Sigma is at most sigma_max = min(1, (1 -
alpha_s) / alpha_t), eq. 7. Its kinds (sections 4.1, and 4.2 for the loop):

- cap: min(eta, sigma_max);
- rescale: eta sigma_max;
- conf: sigma_max, shared by softmax of minus the probability each token was revealed with; tokens
  that this rule did not reveal have no such probability, and stay;
- loop: MDLM until t_on, then alpha stands at alpha_on and sigma = eta, then from t_off MDLM again.

The last step masks nothing and reveals all. A time step that changes nothing costs no forward, as
in the published code, nor does one that finds nothing masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update
from model_runtime.decoding.choose import at, clean_logits, draw, nucleus, tempered, uniform
from model_runtime.decoding.filling import written
from model_runtime.decoding.schedule import LogLinearNoise
from model_runtime.samplers.base import NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor


class RemdmParams(Params, frozen=True):
    """The published settings for the same kind."""

    kind: Literal["cap", "rescale", "conf", "loop"] = "rescale"
    eta: Share = 0.015
    t_on: Share = 0.55
    t_off: Share = 0.05
    alpha_on: Share = 0.9
    #: Tokens are drawn from the best ones with at most this probability together.
    nucleus_p: Share = 0.9
    #: Of the tokens; 0 takes the most probable token.
    temperature: NonNegative = 1.0

    def __post_init__(self) -> None:
        """Refuse a loop that ends before it begins, or never lets a mask become clean."""
        if not self.t_off < self.t_on < 1:
            raise ValueError("t_off < t_on < 1 must hold")
        if self.alpha_on == 1:
            raise ValueError("alpha_on must be below 1")


@dataclass
class Remasking:
    """A block whose tokens come and go."""

    block: Block
    n_steps: int
    steps_left: int
    rng: torch.Generator
    #: [n_open] int64: the block's tokens.
    tokens: Tensor
    #: [n_open] float32: the probability each token was revealed with; NaN where it was not.
    revealed_with: Tensor

    @property
    def masked(self) -> Tensor:
        """[n_open] bool."""
        return self.tokens.eq(self.block.require_mask())


class Remdm(Sampler[Remasking, RemdmParams]):
    """Remasking diffusion over an even grid of times from 1 to 0."""

    name: ClassVar[str] = "remdm"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = RemdmParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Remasking:
        """See `Sampler.begin`."""
        tokens = block.token_ids[block.positions]
        unknown = torch.full_like(tokens, torch.nan, dtype=torch.float32)
        return Remasking(block, n_steps, n_steps, rng, tokens, unknown)

    def query(self, state: Remasking) -> Query:
        """Ask about every mask of the block: a settled token needs no prediction to be masked."""
        sigma = LogLinearNoise().sigma(state.steps_left / state.n_steps)
        return Query(state.block.positions[state.masked], sigma)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Remasking) -> Update:
        """Reveal and mask, until a new prediction is needed."""
        clean = tempered(
            clean_logits(prediction.rows, state.block.mask_id), self.params.temperature
        )
        if self.params.nucleus_p < 1:
            clean = nucleus(clean, self.params.nucleus_p, keep_crossing=False)
        while True:
            changed = self._advance(clean, state)
            if state.steps_left == 0 or (changed and bool(state.masked.any())):
                break
            if changed:
                clean = clean[:0]
        positions, settled = state.block.positions, ~state.masked
        token_ids = token_ids.index_copy(0, positions, state.tokens)
        done = state.steps_left == 0
        return written(token_ids, positions, state.tokens, state.revealed_with, settled, done=done)

    def _advance(self, clean: Tensor, state: Remasking) -> bool:
        """Take one time step and return whether a token changed.

        Args:
            clean: [n_masked, vocab], the probabilities of the clean tokens.
            state: changed in place.
        """
        masked, mask_id = state.masked, state.block.require_mask()
        time, next_time = (
            left / state.n_steps for left in (state.steps_left, state.steps_left - 1)
        )
        state.steps_left -= 1
        alpha, next_alpha = alphas(self.params, time, next_time)
        sigma = remask_chance(self.params, alpha, next_alpha, state.revealed_with, masked)

        table = reveal(clean, mask_id, alpha, next_alpha, sigma[masked])
        drawn = draw(table, state.rng)
        lost = ~masked & (uniform(len(masked), state.rng, masked.device) < sigma)
        tokens = state.tokens.masked_fill(lost, mask_id).masked_scatter(masked, drawn)
        changed = not torch.equal(tokens, state.tokens)
        state.tokens = tokens
        state.revealed_with = state.revealed_with.masked_fill(lost, torch.nan).masked_scatter(
            masked, at(clean, drawn).float().masked_fill(drawn == mask_id, torch.nan)
        )
        return changed


def alphas(params: RemdmParams, time: float, next_time: float) -> tuple[float, float]:
    """Return the shares of clean tokens at `time` and at `next_time`, 1 at the end."""
    if params.kind != "loop":
        alpha, next_alpha = 1 - time, 1 - next_time
    elif time > params.t_on:
        rate = params.alpha_on / (1 - params.t_on)
        alpha, next_alpha = (1 - time) * rate, (1 - next_time) * rate
    elif time > params.t_off:
        alpha = next_alpha = params.alpha_on
    else:
        rate = (1 - params.alpha_on) / params.t_off
        alpha, next_alpha = 1 - time * rate, 1 - next_time * rate
    return alpha, next_alpha if next_time > 0 else 1.0


def remask_chance(
    params: RemdmParams, alpha: float, next_alpha: float, revealed_with: Tensor, masked: Tensor
) -> Tensor:
    """Return sigma [n_open] float: the probability that a settled token is masked again.

    Args:
        params: the kind and eta.
        alpha: the share of clean tokens now.
        next_alpha: the share of clean tokens next.
        revealed_with: [n_open] float, NaN where unknown.
        masked: [n_open] bool.
    """
    sigma_max = min(1.0, (1 - next_alpha) / alpha) if alpha > 0 else float(next_alpha < 1)
    if params.kind == "conf":
        unsure = (-revealed_with).masked_fill(masked | revealed_with.isnan(), -torch.inf)
        # Where no token has been revealed yet, softmax is NaN.
        return unsure.softmax(0).nan_to_num(0.0) * sigma_max
    if params.kind == "rescale":
        sigma = params.eta * sigma_max
    elif params.kind == "cap":
        sigma = min(params.eta, sigma_max)
    else:
        sigma = params.eta if alpha == next_alpha else 0.0
    return torch.full_like(revealed_with, sigma)


def reveal(clean: Tensor, mask_id: int, alpha: float, next_alpha: float, sigma: Tensor) -> Tensor:
    """Return what each mask becomes: probabilities [n_masked, vocab].

    Args:
        clean: [n_masked, vocab], the probabilities of the clean tokens; zero for the mask.
        mask_id: the column of those that stay masks.
        alpha: the share of clean tokens now, below 1.
        next_alpha: the share of clean tokens next.
        sigma: [n_masked] float.
    """
    table = clean * ((next_alpha - (1 - sigma) * alpha) / (1 - alpha)).clamp(0, 1)[:, None]
    table[:, mask_id] = ((1 - next_alpha - sigma * alpha) / (1 - alpha)).clamp(0, 1)
    return table
