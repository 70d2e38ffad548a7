"""Filling masks: the state of every rule that commits masked positions and takes none back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Block, Prediction, Query, Update
from model_runtime.decoding.choose import clean_logits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Filling:
    """The masks of a block, fewer at each step."""

    block: Block
    #: Steps that remain, the one under way included.
    steps_left: int
    rng: torch.Generator
    #: [n_masked] int64, ascending: canvas positions that are still masks.
    masked: Tensor

    @classmethod
    def start(cls, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """Begin with the block's masks."""
        return cls(block, n_steps, rng, block.positions[block.masked(block.token_ids)])

    def query(self) -> Query:
        """Ask about every mask that is left."""
        return Query(self.masked)

    def logits(self, prediction: Prediction) -> Tensor:
        """Return [n_masked, vocab] logits in which the mask itself is impossible."""
        return clean_logits(prediction.rows, self.block.mask_id)

    def commit(
        self, token_ids: Tensor, tokens: Tensor, confidence: Tensor, chosen: Tensor
    ) -> Update:
        """Write the chosen ones among the masks and end the step.

        Args:
            token_ids: [length] int64, the canvas.
            tokens: [n_masked] int64, what each mask would become.
            confidence: [n_masked] float.
            chosen: [n_masked] bool.
        """
        committed = self.masked[chosen]
        after = token_ids.index_copy(0, committed, tokens[chosen])
        shown = torch.full_like(token_ids, torch.nan, dtype=torch.float32)
        update = Update(
            token_ids=after,
            committed=torch.zeros_like(token_ids, dtype=torch.bool).index_fill(0, committed, 1),
            done=bool(chosen.all()),
            confidence=shown.index_copy(0, self.masked, confidence.float()),
        )
        self.masked = self.masked[~chosen]
        self.steps_left -= 1
        return update
