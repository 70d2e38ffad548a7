"""Finished blocks of a block-causal family: exact.

A row of such a family (LLaDA2, SDAR, Fast-dLLM v2) sees its own block and the blocks before it. So
the rows of the leading blocks stay true as long as none of their tokens changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.caches.base import KeptRows, Rows, closed_run

if TYPE_CHECKING:
    from torch import Tensor


class BlocksCache(KeptRows):
    """Keeps the leading blocks that did not change."""

    name: ClassVar[str] = "blocks"
    exact: ClassVar[bool] = True

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep the longest leading run that is unchanged and sees nothing beyond itself."""
        del settled
        return closed_run(rows, same)
