"""An engine whose answers are known, for what asks engines and judges what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.protocol import Alternative, Finished, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.engines.base import CancelToken, EngineDescription, Listener
    from model_runtime.protocol import InfillRequest


class Knowing:
    """Answers as the test says.

    Args:
        answer: the texts of each alternative, a text for each span.
    """

    name: ClassVar[str] = "knowing"

    def __init__(self, answer: Callable[[InfillRequest], list[tuple[str, ...]]]) -> None:
        self._answer = answer
        self.asked: list[InfillRequest] = []

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Answer."""
        del listener, cancel
        self.asked.append(request)
        found = tuple(Alternative(texts=texts) for texts in self._answer(request))
        return Finished(
            id=request.id, alternatives=found, model="", sampler="", seed=0, usage=Usage()
        )

    def describe(self) -> EngineDescription:
        """Nothing asks."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to give back."""
