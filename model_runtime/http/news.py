"""What has come of a request since somebody looked last."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.protocol import Notice, StepReport


class News:
    """The newest step report, a notice that says "not yet", and a bell."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.step: StepReport | None = None
        self.first_at: float | None = None
        self.notice: Notice | None = None

    def put(self, step: StepReport) -> None:
        """Take a report in the place of an earlier one."""
        if self.first_at is None:
            self.first_at = time.monotonic()
        self.step = step
        self.rung.set()

    def hear(self, notice: Notice) -> None:
        """Take a notice."""
        # What has a known end takes long: a download, or a model being prepared.
        if notice.fraction is not None:
            self.notice = notice
            self.rung.set()

    def take(self) -> StepReport | None:
        """Return the newest report, once; None where there is no newer one."""
        self.rung.clear()
        step, self.step = self.step, None
        return step
