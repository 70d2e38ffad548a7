"""No cache: every row is computed at every step. Fits every family."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.caches.base import Cache

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Canvas, Update


class NoCache(Cache):
    """Keeps nothing."""

    name: ClassVar[str] = "none"
    exact: ClassVar[bool] = True

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return what was fed: it is all there is."""
        del layer
        return keys, values

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Nothing is kept, nothing is dropped."""
