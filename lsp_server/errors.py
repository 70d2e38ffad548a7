"""What can go wrong on the editor's side, and how loudly to say it.

    ServerFault
    ├── BadSelection         the user's: outside the document, reversed, too large
    ├── UnsupportedDocument  the document's: binary, over the size limit
    ├── StaleResult          nobody's: the document moved on while the model worked
    ├── NothingElse          nobody's: the model has no other result
    ├── InfillFailed         the runtime said no; carries the wire's failure code
    └── RuntimeUnavailable   the runtime can't be started or reached

The message of each is a sentence for the user: what happened, and what to do.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from model_runtime.protocol import FailureCode

#: Failures that the user caused on purpose, or that nobody needs to read about.
QUIET_CODES: frozenset[FailureCode] = frozenset({"cancelled", "superseded"})


class ServerFault(Exception):
    """Base of every fault that has a name."""

    log_level: ClassVar[int] = logging.ERROR


class BadSelection(ServerFault):
    """The selection can't be a mask span."""

    log_level = logging.WARNING


class UnsupportedDocument(ServerFault):
    """The document can't be worked on."""

    log_level = logging.WARNING


class StaleResult(ServerFault):
    """The document changed since the request; the result is dropped."""

    log_level = logging.INFO


class NothingElse(ServerFault):
    """Another result was asked for, and the model has none."""

    log_level = logging.WARNING


class RuntimeUnavailable(ServerFault):
    """No runtime: it can't be started, or it can't be reached."""


class InfillFailed(ServerFault):
    """The runtime's terminal message was `Failed`."""

    def __init__(self, code: FailureCode, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def quiet(self) -> bool:
        """Whether to keep this from the user."""
        return self.code in QUIET_CODES
