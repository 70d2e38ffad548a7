"""Fast-dLLM's prefix cache: what stands before the block is computed once a block.

Wu et al. 2025, arXiv 2505.22618, section 3.2: the first forward of a block feeds the whole canvas
and keeps the rows before the block; later forwards feed the block and all behind it. An
approximation for families that look both ways, since the kept rows saw the block as it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.caches.base import KeptRows, Rows

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block


class PrefixCache(KeptRows):
    """Keeps the rows before the block."""

    name: ClassVar[str] = "prefix"
    exact: ClassVar[bool] = False
    error: ClassVar[float] = 0.03

    def __init__(self) -> None:
        super().__init__()
        self._start = 0

    def begin(self, block: Block) -> None:
        """Forget the last block's rows: they are computed afresh with this one's."""
        self._start = int(block.positions[0])
        self.forget()

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep what stands before the block."""
        del settled
        return same & (rows.positions < self._start)
