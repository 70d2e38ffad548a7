"""Work-done progress and live drafts: what the user sees while the model works.

Editors show nothing of their own during a code action's resolve, so the server opens a progress
itself: lazily, so that a quick answer shows none, and with a cancel button. Clients that ask for
drafts get each canvas as well and can draw it in place.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING

import msgspec
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.protocol_ext import DRAFT, DraftParams, DraftSpan, Position, Range
from model_runtime.protocol import StepReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.contract import Client
    from lsp_server.fill.infill import Plan
    from model_runtime.protocol import Notice

LOG = logging.getLogger(__name__)

_MAX_MESSAGE = 100


def draft_line(report: StepReport) -> str:
    """Return a canvas as one line: blanks run together, the head of it where it is long."""
    line = " ".join(" … ".join(report.drafts).split())
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


class Progress:
    """One cancellable progress of the client's.

    Args:
        server: whose client to show it to.
        title: what is going on, shown before every message.
    """

    def __init__(self, server: Client, title: str) -> None:
        self._server = server
        self._title = title
        # A string: Zed refuses numbers.
        self._token = f"remask-{uuid.uuid4().hex}"
        self._message = ""
        self._creation: asyncio.Task[None] | None = None
        self._begun = False
        self._ended = False
        #: Called when the user presses cancel.
        self.on_cancel: Callable[[], object] | None = None
        self.cancelled = False

    def report(self, message: str) -> None:
        """Show a message, and the progress with it if this is the first one."""
        self._message = message
        if self._begun:
            value = types.WorkDoneProgressReport(message=message, cancellable=True)
            self._server.work_done_progress.report(self._token, value)
        elif self._creation is None and self._server.support.progress:
            self._creation = asyncio.create_task(self._create())

    def end(self) -> None:
        """Take the progress away."""
        self._ended = True
        if self._begun:
            self._server.work_done_progress.end(self._token, types.WorkDoneProgressEnd())
            self._forget()

    async def _create(self) -> None:
        tokens = self._server.work_done_progress
        try:
            await tokens.create_async(self._token)
        except JsonRpcException as refusal:
            LOG.info("The client takes no progress: %s", refusal)
            return
        if self._ended:
            self._forget()
            return
        tokens.tokens[self._token].add_done_callback(lambda _: self._cancel())
        begin = types.WorkDoneProgressBegin(
            title=self._title, message=self._message, cancellable=True
        )
        tokens.begin(self._token, begin)
        self._begun = True

    def _cancel(self) -> None:
        self.cancelled = True
        if self.on_cancel:
            self.on_cancel()

    def _forget(self) -> None:
        # pygls keeps every token it ever made.
        self._server.work_done_progress.tokens.pop(self._token, None)


class Drafts:
    """The drafts of one request, for a client that draws them."""

    def __init__(self, server: Client, plan: Plan) -> None:
        self._server = server
        self._plan = plan
        self._ranges = tuple(plain_range(plan.snapshot.range_of(span)) for span in plan.spans)
        self._begun = False

    def report(self, step: StepReport) -> None:
        """Send one canvas."""
        if not self._server.support.drafts:
            return
        self._begun = True
        spans = zip(self._ranges, step.drafts, strict=True)
        self._send(
            DraftParams(
                token=self._plan.request.id,
                uri=self._plan.snapshot.uri,
                version=self._plan.snapshot.version,
                spans=tuple(DraftSpan(place, text) for place, text in spans),
                mark=step.mark,
                step_index=step.step_index,
                n_forwards=step.n_forwards,
                n_committed=step.n_committed,
            )
        )

    def end(self) -> None:
        """Let the client clear what it drew."""
        if self._begun:
            snapshot = self._plan.snapshot
            self._send(
                DraftParams(self._plan.request.id, snapshot.uri, snapshot.version, done=True)
            )

    def _send(self, params: DraftParams) -> None:
        self._server.protocol.notify(DRAFT, msgspec.to_builtins(params))


class Reporter:
    """Progress and drafts of one request together.

    Args:
        server: whose client to show them to.
        plan: what is being filled.
    """

    def __init__(self, server: Client, plan: Plan) -> None:
        self.progress = Progress(server, f"Remask: {plan.request.mode}")
        self._drafts = Drafts(server, plan)

    def __call__(self, report: StepReport | Notice) -> None:
        """Show what the runtime says."""
        if isinstance(report, StepReport):
            self.progress.report(draft_line(report))
            self._drafts.report(report)
        else:
            self.progress.report(report.text)

    def end(self) -> None:
        """Take everything away."""
        self.progress.end()
        self._drafts.end()


def plain_range(place: types.Range) -> Range:
    """Return a range as our own messages have it."""
    start, end = place.start, place.end
    return Range(Position(start.line, start.character), Position(end.line, end.character))
