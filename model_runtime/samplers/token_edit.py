"""Fill masks and correct settled tokens in the same step, each above its own threshold.

LLaDA2.1 (arXiv 2602.08676), joint threshold decoding: from mask to token, every mask whose best
token is more probable than `threshold`, and at least `quota` of them; from token to token, every
settled token that is not the best one where the best one is more probable than `edit_threshold`.
Once no mask is left, it goes on correcting until nothing changes, for `max_post_steps` steps at
most. The Hugging Face generation has threshold 0.95 and edit_threshold 0.9; SGLang's JointThreshold
has 0.5 and 0, and a penalty on repeating the token before.

Without an edit threshold it is LLaDA2.0's rule for as many steps as a block is long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import torch

from model_runtime.decoding.canvas import Query
from model_runtime.decoding.choose import draw_tokens, top
from model_runtime.decoding.filling import Filling, written
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import Count, NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Update


class TokenEditParams(Params, frozen=True):
    """LLaDA2.1's published defaults."""

    threshold: Share = 0.95
    #: None corrects nothing.
    edit_threshold: Share | None = 0.9
    #: The least number of masks a step fills.
    quota: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_post_steps: Count = 16
    #: Taken from the logit of the token that stands before, mask or not.
    penalty: NonNegative = 0.0
    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0


@dataclass
class Editing(Filling):
    """A block that is filled and corrected."""

    #: Steps begun with no mask left.
    n_post_steps: int = 0


class TokenEdit(Sampler[Editing, TokenEditParams]):
    """LLaDA2.1's joint threshold. Tokens that are open but not masked at first may be corrected."""

    name: ClassVar[str] = "token_edit"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = TokenEditParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Editing:
        """See `Sampler.begin`."""
        return Editing.start(block, n_steps, rng)

    def query(self, state: Editing) -> Query:
        """Ask about every open position, or, where nothing is corrected, about the masks."""
        corrects = self.params.edit_threshold is not None
        return Query(state.block.positions if corrects else state.masked)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Editing) -> Update:
        """Fill and correct."""
        params, positions = self.params, self.query(state).positions
        before = token_ids[positions]
        masked = before.eq(state.block.require_mask())
        logits = self._penalised(prediction.rows, token_ids, positions)
        tokens, confidence = draw_tokens(logits, params.temperature, state.rng, state.block.mask_id)

        n_masked = int(masked.sum())
        n_sure = int((masked & (confidence > params.threshold)).sum())
        n_fill = max(n_sure, params.quota, quota(n_masked, state.steps_left))
        filled = masked & top(confidence.masked_fill(~masked, -1.0), n_fill)
        edited = torch.zeros_like(masked)
        if params.edit_threshold is not None:
            edited = ~masked & (tokens != before) & (confidence > params.edit_threshold)

        state.masked = positions[masked & ~filled]
        state.steps_left -= 1
        state.n_post_steps += n_masked == 0
        done = state.steps_left == 0 or self._is_done(n_masked, int(edited.sum()), state)
        return written(token_ids, positions, tokens, confidence, filled | edited, done=done)

    def _penalised(self, logits: Tensor, token_ids: Tensor, positions: Tensor) -> Tensor:
        """Return `logits` [n, vocab] with the token before each position made less likely."""
        if self.params.penalty == 0:
            return logits
        before = token_ids[positions - 1][:, None]
        penalty = self.params.penalty * (positions > 0)[:, None]
        return logits.scatter_add(-1, before, -penalty.to(logits))

    def _is_done(self, n_masked: int, n_edited: int, state: Editing) -> bool:
        """Return whether the block is finished after a step that began with `n_masked` masks."""
        if state.n_masked:
            return False
        if self.params.edit_threshold is None or self.params.max_post_steps == 0:
            return True
        if n_masked:
            return False
        return n_edited == 0 or state.n_post_steps >= self.params.max_post_steps
