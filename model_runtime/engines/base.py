"""The contract of an engine: one infill request in, alternatives out.

An engine runs on the runtime's worker thread, one request at a time unless it can do better. It may
hold tensors (`local`) or a socket (`mercury`, `sglang`, …); the rest of the runtime can't tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.protocol import (
        Finished,
        InfillRequest,
        NextEditRequest,
        NextEdits,
        StepReport,
    )


class CancelToken(Protocol):
    """What a running job asks between two denoising steps."""

    def check(self) -> None:
        """Raise `Cancelled`, `Superseded` or `DeadlinePassed` once the job has to stop."""


class Listener(Protocol):
    """Where an engine tells what it is doing. Both calls return at once."""

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Say something for the user: a download, a model being loaded."""

    def step(self, report: StepReport) -> None:
        """Show the canvas after a denoising step."""


class Engine(Protocol):
    """Text in, text out."""

    #: File name and registry key.
    name: ClassVar[str]

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Fill the request's spans. Loads what it needs on first use.

        Raises:
            RuntimeFault: whatever went wrong; its message is for the user.
        """

    def describe(self) -> EngineDescription:
        """Say what is loaded, for `remask doctor` and the status item."""

    def close(self) -> None:
        """Give everything back. The engine is not used again."""


@runtime_checkable
class SideBySideEngine(Engine, Protocol):
    """An engine that can do parts of several requests' work at once."""

    def run_side_by_side(self, take: Callable[[], Callable[[], None] | None]) -> None:
        """Run requests until none is left.

        Args:
            take: returns a function that calls `infill` and raises nothing, or None where no
                request waits; asked again whenever another one could join.
        """


@runtime_checkable
class ReadingEngine(Engine, Protocol):
    """An engine that has something to do while nobody asks."""

    def read_ahead(self, must_stop: Callable[[], bool]) -> None:
        """Prepare for what may be asked next.

        Args:
            must_stop: whether somebody asks; called several times a second.
        """


@runtime_checkable
class NextEditEngine(Engine, Protocol):
    """An engine that can tell what to edit next."""

    def next_edits(
        self, request: NextEditRequest, listener: Listener, cancel: CancelToken
    ) -> NextEdits:
        """Say which places no longer fit what was just changed. Loads what it needs on first use.

        Raises:
            RuntimeFault: whatever went wrong; its message is for the user.
        """


@dataclass(frozen=True)
class EngineDescription:
    """What `Status` shows of an engine."""

    model: str
    #: E.g. "cpu, int8, 2 threads"; empty until a model is loaded.
    device: str
    loaded: bool
