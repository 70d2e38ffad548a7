"""Commit a block's tokens by a fixed number of steps for its length.

SDAR (Cheng et al. 2025, arXiv 2510.06303), `block_diffusion_generate`, and LLaDA2.0 (arXiv
2512.15745), whose rule is "dynamic" at temperature 0. Step i of S has the quota
floor(B/S) + [i < B mod S], by the block's length B, not by its masks:

- sequential: the first masks from the left;
- static: the most confident masks;
- dynamic: every mask above the threshold where these are at least the quota, else as static.

The published code lets the quota reach past the masks and overwrites given tokens; here it ends
with the masks. Where a block has more masks than its length was said to be, an even share of the
rest is the least that is committed, so that the block ends in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from model_runtime.decoding.choose import at, clean_logits, narrowed, pick, tempered, top
from model_runtime.decoding.filling import Filling
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import Count, NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update


class BlockwiseParams(Params, frozen=True):
    """SDAR's defaults, but greedy."""

    kind: Literal["sequential", "static", "dynamic"] = "dynamic"
    threshold: Share = 0.85
    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0
    top_p: Share = 1.0
    #: 0 keeps all.
    top_k: Count = 0
    #: The length B of the quota, given tokens included; 0 takes the block's open positions.
    block_length: Count = 0


class Blockwise(Sampler[Filling, BlockwiseParams]):
    """SDAR's three kinds, and LLaDA2.0's threshold."""

    name: ClassVar[str] = "blockwise"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = BlockwiseParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return Filling.start(block, n_steps, rng)

    def query(self, state: Filling) -> Query:
        """Ask about every mask of the block."""
        return state.query()

    def step(self, token_ids: Tensor, prediction: Prediction, state: Filling) -> Update:
        """Commit the step's quota, or more."""
        tokens, confidence = self.draw(prediction.rows, state.rng, state.block.mask_id)
        chosen = top(self._rank(confidence), self._n_commit(confidence, state))
        return state.commit(token_ids, tokens, confidence, chosen)

    def draw(
        self, logits: Tensor, rng: torch.Generator, mask_id: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return a token a row and how probable it is.

        After the temperature, but before top-p and top-k: after these a single candidate would be
        certain everywhere.
        """
        params = self.params
        clean = clean_logits(logits, mask_id)
        narrow = narrowed(clean, params.temperature, params.top_p, params.top_k)
        tokens = pick(narrow, params.temperature, rng)
        return tokens, at(tempered(logits, params.temperature or 1.0), tokens)

    def _rank(self, confidence: Tensor) -> Tensor:
        """Return [n_masked]: what comes first is highest."""
        if self.params.kind == "sequential":
            return -torch.arange(len(confidence), device=confidence.device)
        return confidence

    def _n_commit(self, confidence: Tensor, state: Filling) -> int:
        """Return how many of the masks to commit."""
        length = self.params.block_length or len(state.block.positions)
        share, rest = divmod(length, state.n_steps)
        n_least = share + (state.n_steps - state.steps_left < rest)
        n_least = max(n_least, quota(state.n_masked, state.steps_left))
        if self.params.kind != "dynamic":
            return n_least
        return max(n_least, int((confidence > self.params.threshold).sum()))
