"""An engine whose model is still coming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.stepped import SteppedEngine

from model_runtime.engines.base import EngineDescription

if TYPE_CHECKING:
    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.protocol import InfillRequest


class LateEngine(SteppedEngine):
    """Has no model until its first job is finished, and says so with a notice.

    Args:
        text: of the notice.
        share: how far it is; None where that is not known.
    """

    def __init__(self, text: str, share: float | None) -> None:
        super().__init__()
        self._notice = (text, share)
        self._is_loaded = False

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Any:
        """Do as the test says, once it has said what is missing."""
        if not self._is_loaded:
            listener.notice(*self._notice)
        finished = super().infill(request, listener, cancel)
        self._is_loaded = True
        return finished

    def describe(self) -> EngineDescription:
        """Say whether there is a model."""
        return EngineDescription(model="late", device="none", loaded=self._is_loaded)
