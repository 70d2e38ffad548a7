"""What an HTTP request can come to besides a fill, and the status each has.

The runtime's failures and this front's own refusals become one `HttpFault`; each dialect then
spells it in its own shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.service.worker import log_bug

if TYPE_CHECKING:
    from model_runtime.protocol import FailureCode

#: Failures that the same request may survive in a moment, and the seconds to wait.
RETRY_AFTER_S = 1
#: Seconds to wait for a model that is still coming.
LOADING_S = 5

STATUSES: dict[FailureCode, int] = {
    "bad_request": 400,
    "busy": 429,
    "cancelled": 503,
    "canvas_too_long": 400,
    "deadline": 504,
    "internal": 500,
    "model_load_failed": 503,
    "remote_failed": 502,
    "runtime_died": 503,
    "shutting_down": 503,
    "superseded": 409,
    "unknown_name": 400,
    "unsupported_pairing": 400,
}


class HttpFault(Exception):
    """A request that gets no fill. The message is for the user: what happened and what to do.

    Args:
        status: of HTTP.
        code: one word for programs.
        text: a sentence for people.
        param: the field of the body that is wrong, if one is.
    """

    def __init__(self, status: int, code: str, text: str, param: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        """What the reply carries besides its body."""
        if self.status == 401:  # noqa: PLR2004  # it is its own name
            return {"WWW-Authenticate": "Bearer"}
        if self.status == 415:  # noqa: PLR2004  # likewise
            return {"Accept-Encoding": "gzip, deflate"}
        if self.status in {429, 503}:
            return {"Retry-After": str(LOADING_S if self.code == "loading" else RETRY_AFTER_S)}
        return {}


class BadBody(HttpFault):
    """The body is not what the dialect says."""

    def __init__(self, text: str, param: str | None = None) -> None:
        super().__init__(400, "bad_request", text, param)


class StillLoading(HttpFault):
    """The model is on its way, and takes its time.

    Args:
        text: how far it is.
        share: of the way; None where the end is not known.
    """

    def __init__(self, text: str, share: float | None) -> None:
        super().__init__(503, "loading", f"{text.rstrip('.')}; it goes on, try again in a while.")
        self.share = share


class NotFilled(HttpFault):
    """The runtime's `Failed`, or what kept the request from reaching it."""

    def __init__(self, code: FailureCode, text: str) -> None:
        super().__init__(STATUSES[code], code, text)


def fault_of(error: Exception) -> HttpFault:
    """Return what to tell of an exception; one that nobody foresaw is logged."""
    if isinstance(error, HttpFault):
        return error
    reference = log_bug(error)
    return HttpFault(500, "internal", f"The server hit a bug, number {reference} in its log.")
