"""Commit a growing share of the masks, the surest first; how sure is measured in several ways.

Dream 7B (Ye et al. 2025, arXiv 2508.15487), as in its `generation_utils.py`. Between times t and s
a mask is committed with probability 1 - s/t, as in MDLM (arXiv 2406.07524, eq. 7); all kinds but
"origin" commit that share of the masks, chosen by certainty. "maskgit_plus" is the probability of
the token (Chang et al. 2022, arXiv 2202.04200), "topk_margin" its lead over the second (Kim et al.
2025, arXiv 2502.06768), "entropy" the negative entropy of the row. DiffuCoder (arXiv 2506.20639)
decodes the same way.

A step that commits nothing would be repeated on the same canvas, so it is passed over without a
forward. The published code takes the mean number of masks over a batch, and overwrites given tokens
with masks where the rows differ; here each canvas has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from model_runtime.decoding.choose import at, certainty, narrowed, pick, top, top_at_random, uniform
from model_runtime.decoding.filling import Filling
from model_runtime.samplers.base import Count, NonNegative, Params, Positive, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update


class EntropyParams(Params, frozen=True):
    """Dream's names and, but for the kind, its defaults."""

    kind: Literal["origin", "maskgit_plus", "topk_margin", "entropy"] = "entropy"
    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0
    top_p: Share = 1.0
    #: 0 keeps all.
    top_k: Count = 0
    #: Positions are drawn from softmax(certainty / alg_temp); 0 takes the surest.
    alg_temp: NonNegative = 0.0
    #: Commit every token at least this probable, besides the share.
    threshold: Share | None = None
    #: The time at which the last step begins.
    eps: Positive = 1e-3


class Entropy(Sampler[Filling, EntropyParams]):
    """Dream's rule."""

    name: ClassVar[str] = "entropy"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = EntropyParams
    surest_first: ClassVar[bool] = True

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return Filling.start(block, n_steps, rng)

    def query(self, state: Filling) -> Query:
        """Ask about every mask of the block."""
        return state.query()

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Commit the surest tokens, in the first step that has a share of at least one."""
        params = self.params
        clean = narrowed(state.logits(prediction), params.temperature, params.top_p, params.top_k)
        tokens = pick(clean, params.temperature, state.rng)
        probabilities = narrowed(prediction.rows, params.temperature, params.top_p, params.top_k)
        if params.kind == "origin":
            confidence = at(probabilities, tokens)
        else:
            confidence = certainty(probabilities, tokens, params.kind, state.block.mask_id)
        chosen = self._choose(confidence, state)
        while state.steps_left > 1 and not bool(chosen.any()):
            state.steps_left -= 1
            chosen = self._choose(confidence, state)
        if params.threshold is not None:
            chosen = chosen | (at(probabilities, tokens) >= params.threshold)
        return state.commit(token_ids, tokens, confidence, chosen)

    def _choose(self, confidence: Tensor, state: Filling) -> Tensor:
        """Return [n_masked] bool: what this step commits."""
        if state.steps_left == 1:
            return torch.ones_like(confidence, dtype=torch.bool)
        # In float32, as published: the share decides by truncation.
        times = torch.linspace(1, self.params.eps, state.n_steps + 1)
        step_index = state.n_steps - state.steps_left
        share = 1 - times[step_index + 1] / times[step_index]
        if self.params.kind == "origin":
            return uniform(state.n_masked, state.rng, confidence.device) < share
        n_commit = int(state.n_masked * share)
        if self.params.alg_temp > 0:
            return top_at_random(confidence / self.params.alg_temp, n_commit, state.rng)
        return top(confidence, n_commit)
