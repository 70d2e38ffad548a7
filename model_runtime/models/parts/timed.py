"""Whole canvases through a `Dit`: what SEDD and MDLM share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from model_runtime.caches.none import NoCache
from model_runtime.models.parts.family import Family

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.models.parts.dit import Dit


class TimedTransformer(Family):
    """A bidirectional model conditioned on the noise level, predicting in place."""

    stack: Dit

    @torch.no_grad()
    def forward(
        self, token_ids: Tensor, noise_level: Tensor, attention_mask: Tensor | None = None
    ) -> Tensor:
        """Evaluate whole canvases.

        Args:
            token_ids: [batch, length] int64.
            noise_level: [batch] float, sigma.
            attention_mask: [batch, length], 0 at padding, which nothing attends to and no position
                is counted for; None for no padding. Output rows at padding mean nothing.

        Returns:
            [batch, length, vocab] float32, as the model puts them out.
        """
        positions, allowed = self.places(token_ids, attention_mask)
        hidden = self.stack.hidden(
            token_ids.to(self.device), positions, noise_level.to(self.device), allowed, NoCache()
        )
        return self.stack.head(hidden)
