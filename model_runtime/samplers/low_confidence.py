"""Commit the masks whose tokens are most probable; the low-confident ones stay masks.

LLaDA (Nie et al. 2025, arXiv 2502.09992), section 2.4 and Algorithm 5: an even share of the masks
at each step. Fast-dLLM (Wu et al. 2025, arXiv 2505.22618), section 3.3 and Algorithm 1, commits
more where the model is sure: all tokens with probability >= threshold, or, after its Theorem 1, the
r most probable while (r + 1)(1 - p_r) <= factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.choose import draw_tokens, top
from model_runtime.decoding.filling import Filling
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update


class LowConfidenceParams(Params, frozen=True):
    """With neither threshold nor factor, the steps alone decide how many tokens are committed."""

    #: 0 takes the most probable token. Confidence is always measured at temperature 1.
    temperature: NonNegative = 0.0
    #: Commit every token at least this probable.
    threshold: Share | None = None
    #: Commit the r most probable tokens while p_r >= 1 - factor / (r + 1).
    factor: NonNegative | None = None

    def __post_init__(self) -> None:
        """Refuse two rules at once."""
        if self.threshold is not None and self.factor is not None:
            raise ValueError("set threshold or factor, not both")


class LowConfidence(Sampler[Filling, LowConfidenceParams]):
    """LLaDA's rule, and Fast-dLLM's on top of it.

    At least an even share of the remaining masks is committed at each step. With as many steps as
    masks that share is one token, which is Fast-dLLM's "always the best one".
    """

    name: ClassVar[str] = "low_confidence"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = LowConfidenceParams
    surest_first: ClassVar[bool] = True

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return Filling.start(block, n_steps, rng)

    def query(self, state: Filling) -> Query:
        """Ask about every mask of the block."""
        return state.query()

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Commit the most confident tokens."""
        tokens, confidence = draw_tokens(
            prediction.rows, self.params.temperature, state.rng, state.block.mask_id
        )
        n_commit = max(quota(state.n_masked, state.steps_left), self._n_sure(confidence))
        return state.commit(token_ids, tokens, confidence, top(confidence, n_commit))

    def _n_sure(self, confidence: Tensor) -> int:
        """Return how many of `confidence` [n_masked] the threshold or the factor lets through."""
        if self.params.threshold is not None:
            return int((confidence >= self.params.threshold).sum())
        if self.params.factor is None:
            return 0
        rank = torch.arange(1, len(confidence) + 1, device=confidence.device)
        bound = 1 - self.params.factor / (rank + 1)
        return int((confidence.sort(descending=True).values >= bound).int().cumprod(0).sum())
