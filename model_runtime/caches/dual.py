"""Fast-dLLM's dual cache: only the block itself is computed again.

Wu et al. 2025, arXiv 2505.22618, section 3.2: the first forward of a block feeds the whole canvas;
later forwards feed the block alone and replace its rows, while what stands before and behind it is
kept. The cache for infilling, where most of what stands behind is code that does not change. An
approximation: the kept rows saw the block as it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.caches.base import KeptRows, Rows

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block


class DualCache(KeptRows):
    """Keeps the rows outside the block."""

    name: ClassVar[str] = "dual"
    exact: ClassVar[bool] = False
    error: ClassVar[float] = 0.06

    def __init__(self) -> None:
        super().__init__()
        self._block: Tensor | None = None

    def begin(self, block: Block) -> None:
        """Forget the last block's rows: they are computed afresh with this one's."""
        self._block = block.positions
        self.forget()

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep what stands outside the block; without a block, nothing."""
        del settled
        if self._block is None:
            return torch.zeros_like(same)
        return same & ~torch.isin(rows.positions, self._block.to(rows.positions.device))
