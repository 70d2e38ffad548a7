"""Reveal each mask independently, with the probability that its time has come.

MDLM (Sahoo et al. 2024, arXiv 2406.07524), section 3.2.3, eq. 7: between the times t and s a mask
becomes clean with probability (alpha_s - alpha_t) / (1 - alpha_t), and is then drawn from the
denoiser's x0. With alpha_t = 1 - t that is 1 - s/t, the "ddpm_cache" update of its `diffusion.py`;
"ancestral" is the same without the cache. Its third update, "analytic", is `score_entropy` on
logits and has the same probabilities.

The cache of the paper (section 4.1): where a step reveals nothing, the next one would see the same
canvas, so it uses the same prediction and costs no forward. That holds only for families that are
not conditioned on time; "ancestral" is for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from model_runtime.decoding.choose import at, draw, tempered
from model_runtime.decoding.filling import Filling
from model_runtime.decoding.schedule import LogLinearNoise
from model_runtime.samplers.base import NonNegative, Params, Sampler

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update


class MdlmParams(Params, frozen=True):
    """The published sampler has a kind and nothing else."""

    kind: Literal["ddpm_cache", "ancestral"] = "ddpm_cache"
    #: Of the tokens, not of when they are revealed; 0 takes the most probable token.
    temperature: NonNegative = 1.0


class Mdlm(Sampler[Filling, MdlmParams]):
    """Ancestral sampling over an even grid of times from 1 to 0."""

    name: ClassVar[str] = "mdlm"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = MdlmParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return Filling.start(block, n_steps, rng)

    def query(self, state: Filling) -> Query:
        """Ask about every mask of the block, at the noise of the time."""
        return state.query(LogLinearNoise().sigma(state.steps_left / state.n_steps))

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Reveal masks, in the first time step that reveals any."""
        clean = tempered(state.logits(prediction), self.params.temperature)
        mask_id = state.block.require_mask()
        while True:
            # Times in units of one step; the last of them reveals all that is left.
            table = transition(clean, mask_id, state.steps_left, state.steps_left - 1)
            tokens = draw(table, state.rng)
            revealed = tokens != mask_id
            if bool(revealed.any()) or self.params.kind != "ddpm_cache":
                return state.commit(token_ids, tokens, at(clean, tokens), revealed)
            state.steps_left -= 1


def transition(clean: Tensor, mask_id: int, time: float, next_time: float) -> Tensor:
    """Return what each mask becomes at `next_time`: probabilities [n, vocab].

    Args:
        clean: [n, vocab], the probabilities of the clean tokens; zero for the mask.
        mask_id: the column of those that stay masks.
        time: above 0, in any unit.
        next_time: from 0 to `time`, in the same unit.
    """
    table = clean * ((time - next_time) / time)
    table[:, mask_id] = next_time / time
    return table
