"""A graph's stand-in on the processor: what is captured is remembered, and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Remembered:
    """Captures by remembering; like a device, it writes every result to the same place.

    Args:
        wrong_by: added to what is replayed.
    """

    def __init__(self, wrong_by: float = 0.0) -> None:
        self.n_captured = self.n_replayed = 0
        self._wrong_by = wrong_by

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """See `model_runtime.models.capture.Capture`."""
        self.n_captured += 1
        result = run()

        def replay() -> Tensor:
            self.n_replayed += 1
            return result.copy_(run()).add_(self._wrong_by)

        return replay
