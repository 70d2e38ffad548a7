"""What the server knows about the runtime and about its own last request, for a status item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.errors import ServerFault
from lsp_server.protocol_ext import DID_CHANGE_STATUS, StatusResult

if TYPE_CHECKING:
    from lsp_server.contract import Server
    from lsp_server.runtime.client import RuntimeState
    from model_runtime.protocol import Finished


class StatusBoard:
    """What a status item shows, pushed to clients that ask for it whenever it changes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._n_waiting = 0
        self._shown = StatusResult("stopped")
        self._asking: asyncio.Task[StatusResult] | None = None

    def waiting(self, change: int) -> None:
        """Count requests that wait for the model."""
        self._n_waiting += change
        self._show(busy=self._n_waiting > 0)

    def filled(self, finished: Finished) -> None:
        """Take note of a request that went well."""
        usage = finished.usage
        speed = usage.n_tokens / usage.denoise_s if usage.denoise_s else None
        self._show(text="", model=finished.model, tokens_per_second=speed)
        if not self._shown.device:
            # Only the runtime knows it, and only once the model is loaded.
            self._asking = asyncio.create_task(self.ask())

    def say(self, text: str) -> None:
        """Say why the last request gave nothing."""
        self._show(text=text)

    def state(self, state: RuntimeState) -> None:
        """Take note of what became of the runtime; the next one may be on another device."""
        gone: dict[str, Any] = {} if state.value == "running" else {"device": ""}
        self._show(state=state.value, **gone)

    async def ask(self) -> StatusResult:
        """Return everything there is to say; does not start a runtime."""
        try:
            found = await self._server.runtime.status()
        except ServerFault as fault:
            self._show(model="", device="", problems=(str(fault),))
            return self._shown
        if found is None:
            self._show(model="", device="", problems=())
        else:
            self._show(model=found.model, device=found.device, problems=found.problems)
        return self._shown

    def _show(self, **changes: Any) -> None:
        before, self._shown = self._shown, msgspec.structs.replace(self._shown, **changes)
        if self._shown != before and self._server.support.status:
            self._server.protocol.notify(DID_CHANGE_STATUS, msgspec.to_builtins(self._shown))
