"""What the user hears of what went wrong: a message, a line in the client's log, or nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from lsp_server.errors import InfillFailed, ServerFault

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from lsp_server.status_board import StatusBoard

T = TypeVar("T")

LOG = logging.getLogger(__name__)


class TellingServer(LanguageServer):
    """A server whose handlers' faults are told as loudly as they deserve."""

    status: StatusBoard

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: set[str] = set()

    async def answer(self, work: Awaitable[T], *, popup: bool = True) -> T | None:
        """Await a handler's work; a fault becomes a message or a log line, and the answer None.

        The boundary of every handler: an exception that got past it would be an error reply, which
        editors show as one.

        Args:
            work: the handler's.
            popup: whether the user asked for it, and so is told what went wrong.
        """
        try:
            return await work
        except ServerFault as fault:
            self.tell(fault, popup=popup)
        except Exception:
            LOG.exception("A handler failed")
            self.log("Remask failed; its log has the details.", types.MessageType.Error)
        return None

    def tell(self, fault: ServerFault, *, popup: bool = True) -> None:
        """Say what went wrong as loudly as it deserves, and no louder.

        Args:
            fault: what went wrong.
            popup: False for what the user did not ask for: it is said once, in the log.
        """
        text = str(fault)
        if isinstance(fault, InfillFailed) and fault.quiet:
            LOG.info("%s", text)
            return
        self.status.say(text)
        if fault.log_level <= logging.INFO:
            self.log(text, types.MessageType.Info)
        elif popup:
            is_error = fault.log_level >= logging.ERROR
            kind = types.MessageType.Error if is_error else types.MessageType.Warning
            self.window_show_message(types.ShowMessageParams(kind, text))
        else:
            self.tell_once(text)

    def inform(self, text: str) -> None:
        """Show what is no fault, but would else be a silence."""
        self.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))

    def tell_once(self, text: str) -> None:
        """Write a warning to the client's log, unless it stands there already."""
        if text not in self._told:
            self._told.add(text)
            self.log(text, types.MessageType.Warning)

    def log(self, text: str, kind: types.MessageType) -> None:
        """Write a line to the client's log."""
        self.window_log_message(types.LogMessageParams(kind, text))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls could not handle; by default it would pop up in the editor."""
        LOG.error("%s: %s", source.__name__, error)
