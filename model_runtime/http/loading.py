"""The model on its way into memory: begun ahead of the first request, and told of while it lasts.

A request of the front's own, for one token of nothing, has the runtime fetch and load the model.
Whoever asks meanwhile is told how far it is; that nobody waits for it does not stop it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from model_runtime.http.dialect import next_id
from model_runtime.http.faults import HttpFault, StillLoading
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from model_runtime.http.fill import Backend
    from model_runtime.protocol import Notice

#: Seconds before a load that failed is tried again.
AGAIN_S = 10.0


class Loading:
    """Whether the model is there, and how far it is.

    Args:
        backend: what has it.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loading: asyncio.Task[None] | None = None
        self._notice: Notice | None = None
        self._fault: HttpFault | None = None
        self._failed_at = 0.0

    def begin(self) -> None:
        """Begin, unless it is being done, or has just failed."""
        is_busy = self._loading is not None and not self._loading.done()
        has_failed = self._fault is not None and time.monotonic() < self._failed_at + AGAIN_S
        if not is_busy and not has_failed:
            self._loading = asyncio.create_task(self._load())

    def check(self) -> None:
        """Say whether requests can be filled at once.

        Raises:
            StillLoading: not yet.
            HttpFault: the last try failed; another one is under way.
        """
        if self._loading is None or not self._loading.done():
            notice = self._notice
            text = "The model is being loaded" if notice is None else notice.text
            raise StillLoading(text, None if notice is None else notice.fraction)
        if (fault := self._fault) is not None:
            self.begin()
            raise fault

    def check_fill(self) -> None:
        """Say whether a fill would have to wait for longer than anyone would.

        Raises:
            StillLoading: it would. Where the model is only read from the disk, it waits.
        """
        is_busy = self._loading is not None and not self._loading.done()
        if is_busy and self._notice is not None and self._notice.fraction is not None:
            raise StillLoading(self._notice.text, self._notice.fraction)

    async def close(self) -> None:
        """Stop waiting for it."""
        if self._loading is not None:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._loading})

    async def _load(self) -> None:
        request = InfillRequest(
            id=next_id(), prefix="", suffix="", spans=(MaskSpan(max_tokens=1),), lane="inline"
        )
        self._notice = None
        try:
            if not (await self._backend.status()).loaded:
                await self._backend.infill(request, None, self._hear)
        except HttpFault as fault:
            self._fault, self._failed_at = fault, time.monotonic()
        else:
            self._fault = None

    def _hear(self, notice: Notice) -> None:
        self._notice = notice
