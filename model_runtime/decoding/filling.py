"""Filling masks: the state of every rule that commits masked positions and takes none back.

Rules begin with it and ask by it, in a line each and not by a base class of their own: so each
file shows all of its rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from model_runtime.decoding.canvas import Block, Prediction, Query, Update
from model_runtime.decoding.choose import clean_logits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Filling:
    """The masks of a block, fewer at each step."""

    block: Block
    #: What the block was given.
    n_steps: int
    #: Steps that remain, the one under way included.
    steps_left: int
    rng: torch.Generator
    #: [n_masked] int64: canvas positions that are still masks, in the order the rule wants them.
    masked: Tensor

    @classmethod
    def start(cls, block: Block, n_steps: int, rng: torch.Generator) -> Self:
        """Begin with the block's masks, from left to right."""
        masked = block.positions[block.masked(block.token_ids)]
        return cls(block, n_steps, n_steps, rng, masked)

    @property
    def n_masked(self) -> int:
        """Masks that remain."""
        return len(self.masked)

    def query(self, noise_level: float | None = None) -> Query:
        """Ask about every mask that is left."""
        return Query(self.masked, noise_level)

    def logits(self, prediction: Prediction) -> Tensor:
        """Return [n_rows, vocab] logits in which the mask itself is impossible."""
        return clean_logits(prediction.rows, self.block.mask_id)

    def commit(
        self, token_ids: Tensor, tokens: Tensor, confidence: Tensor, chosen: Tensor
    ) -> Update:
        """Write the chosen ones among the first n masks, and end the step.

        Args:
            token_ids: [length] int64, the canvas.
            tokens: [n] int64, what each mask would become.
            confidence: [n] float.
            chosen: [n] bool.
        """
        asked, rest = self.masked.tensor_split([len(tokens)])
        self.masked = torch.cat([asked[~chosen], rest])
        self.steps_left -= 1
        return written(token_ids, asked, tokens, confidence, chosen, done=not len(self.masked))


def written(
    token_ids: Tensor,
    positions: Tensor,
    tokens: Tensor,
    confidence: Tensor,
    chosen: Tensor,
    *,
    done: bool,
) -> Update:
    """Return the update that writes and commits the chosen ones among `positions`.

    Args:
        token_ids: [length] int64, the canvas.
        positions: [n] int64.
        tokens: [n] int64, what each position would become.
        confidence: [n] float.
        chosen: [n] bool.
        done: see `Update.done`.
    """
    committed = positions[chosen]
    unknown = torch.full_like(token_ids, torch.nan, dtype=torch.float32)
    return Update(
        token_ids=token_ids.index_copy(0, committed, tokens[chosen]),
        committed=torch.zeros_like(token_ids, dtype=torch.bool).index_fill(0, committed, 1),
        done=done,
        confidence=unknown.index_copy(0, positions, confidence.float()),
    )
