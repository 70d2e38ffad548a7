"""Eso-LM's cache: keys and values of clean tokens, in the order in which they were decoded. Exact.

Sahoo et al. 2025, arXiv 2506.01928, section 4: rows stand in decoding order and look only backwards
in it, so the row of a token that was decoded stays true while the order behind it grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.caches.base import KeptRows, Rows, closed_run

if TYPE_CHECKING:
    from torch import Tensor


class EsoCache(KeptRows):
    """Keeps the leading clean rows of the decoding order."""

    name: ClassVar[str] = "eso"
    exact: ClassVar[bool] = True

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep the longest leading run that is unchanged and sees nothing beyond itself.

        Masks are never in it: by their horizon, they see more than there is.
        """
        del settled
        return closed_run(rows, same)
