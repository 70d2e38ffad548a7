"""A runtime client without a runtime, to bring cases about that a real one seldom shows."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

from model_runtime.protocol import (
    Alternative,
    Finished,
    NextEdits,
    Proposal,
    StepReport,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.protocol import InfillRequest, NextEditRequest, Notice, Status


class FakeState(Enum):
    """Stands for RuntimeState."""

    STOPPED = "stopped"
    RUNNING = "running"


def finished(request: InfillRequest, *texts: str) -> Finished:
    """Return the terminal message that fills all the spans with `texts`."""
    return Finished(
        id=request.id,
        alternatives=(Alternative(texts=texts),),
        model="fake",
        sampler="fake",
        seed=0,
        usage=Usage(n_tokens=4, n_forwards=2, denoise_s=0.5),
    )


def empty_canvas(request: InfillRequest) -> StepReport | Notice:
    """Return the report of a canvas with two masks a span."""
    return StepReport(
        id=request.id,
        step_index=0,
        n_forwards=1,
        n_committed=0,
        drafts=("░░",) * len(request.spans),
        committed=("",) * len(request.spans),
    )


class FakeRuntime:
    """Fills each request with what `reply` makes of it.

    Args:
        reply: a text for a request's one span, or what to raise.
    """

    def __init__(self, reply: Callable[[InfillRequest], Finished | Exception]) -> None:
        self.reply = reply
        self.requests: list[InfillRequest] = []
        self.next_edit_requests: list[NextEditRequest] = []
        #: What asking for next edits raises; None for nothing.
        self.next_edit_reply: Exception | None = None
        self.cancelled: list[str] = []
        #: Cleared, requests wait.
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        #: Set once a request waits.
        self.asked = asyncio.Event()
        #: What a request is told before it waits.
        self.first_report = empty_canvas
        self.closed = False
        self.state = FakeState.RUNNING
        #: What it says of itself; None where no runtime is running.
        self.says: Status | None = None
        self._on_state: list[Callable[[FakeState], None]] = []

    async def next_edits(self, request: NextEditRequest) -> NextEdits:
        """Offer every group, when allowed to."""
        self.next_edit_requests.append(request)
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.id)
            raise
        if isinstance(self.next_edit_reply, Exception):
            raise self.next_edit_reply
        return NextEdits(
            id=request.id,
            proposals=tuple(
                Proposal(places=group.places, confidence=0.9, gain=9.0, due=9.0)
                for group in request.groups
            ),
            model="fake",
            usage=Usage(),
        )

    async def infill(
        self,
        request: InfillRequest,
        on_report: Callable[[StepReport | Notice], None] | None = None,
    ) -> Finished:
        """Answer when allowed to."""
        self.requests.append(request)
        self.asked.set()
        if on_report:
            on_report(self.first_report(request))
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.id)
            raise
        answer = self.reply(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def status(self) -> Status | None:
        """Say it."""
        return self.says

    async def stop(self) -> bool:
        """None was running."""
        return False

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    def on_state(self, callback: Callable[[FakeState], None]) -> None:
        """Remember whom to tell."""
        self._on_state.append(callback)

    def become(self, state: FakeState) -> None:
        """Tell everyone of a state."""
        for callback in self._on_state:
            callback(state)
