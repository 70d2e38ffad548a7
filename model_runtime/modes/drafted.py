"""Counting drafts: tokens that stood on the canvas unsettled, and whether they stayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from model_runtime.decoding.canvas import Canvas


class DraftCount:
    """Follows one canvas from step to step.

    Args:
        canvas: before the first one; a text that stands there open is a draft as well.
    """

    def __init__(self, canvas: Canvas) -> None:
        #: Drafts that a step has decided on, and those of them that it kept.
        self.n_drafted = 0
        self.n_accepted = 0
        self._stand(canvas)

    def see(self, canvas: Canvas) -> None:
        """Count what a step did to the drafts that stood before it."""
        if canvas.length == self._length:
            decided = canvas.committed[self._positions]
            stayed = canvas.token_ids[self._positions] == self._token_ids
            replaced = ~decided & ~stayed
            self.n_drafted += int((decided | replaced).sum())
            self.n_accepted += int((decided & stayed).sum())
        self._stand(canvas)

    def _stand(self, canvas: Canvas) -> None:
        """Remember which drafts stand; without masks nobody can tell them from noise."""
        is_draft = ~canvas.committed & (canvas.token_ids != canvas.mask_id)
        if canvas.mask_id is None:
            is_draft = torch.zeros_like(canvas.committed)
        self._length = canvas.length
        self._positions = torch.nonzero(is_draft)[:, 0]
        self._token_ids = canvas.token_ids[self._positions]
