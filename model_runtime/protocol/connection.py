"""What is said about a connection, about the runtime at its end, and about any request at all."""

from __future__ import annotations

from typing import Literal

from model_runtime.protocol.message import Message

FailureCode = Literal[
    "bad_request",
    "busy",
    "cancelled",
    "canvas_too_long",
    "deadline",
    "internal",
    "model_load_failed",
    "remote_failed",
    "runtime_died",
    "shutting_down",
    "superseded",
    "unknown_name",
    "unsupported_pairing",
]


class Hello(Message, kw_only=True, frozen=True):
    """The first message of a connection."""

    protocol_version: int
    client: str
    #: Only where the socket itself does not prove the user (TCP on Windows).
    token: str = ""


class Cancel(Message, kw_only=True, frozen=True):
    """Give up a request. Its terminal message is then `Failed("cancelled")`, unless it is done."""

    id: str


class StatusRequest(Message, kw_only=True, frozen=True):
    """Ask for a `Status`."""

    id: str


class Shutdown(Message, kw_only=True, frozen=True):
    """Finish what runs, refuse what comes, answer `Stopping`, then leave."""

    id: str


class Welcome(Message, kw_only=True, frozen=True):
    """The connection stands."""

    protocol_version: int
    runtime_version: str
    pid: int


class Refused(Message, kw_only=True, frozen=True):
    """The connection does not stand, and is closed after this."""

    reason: str


class Notice(Message, kw_only=True, frozen=True):
    """News of a request that is not a denoising step: a download, a model being loaded."""

    id: str
    #: A sentence for the user, e.g. "Downloading qwen2.5-coder-0.5b (34 %)".
    text: str
    #: 0 to 1, or None where the end is not known.
    fraction: float | None = None


class Failed(Message, kw_only=True, frozen=True):
    """Terminal: there is no result. `text` is for the user: what happened and what to do."""

    id: str
    code: FailureCode
    text: str


class Status(Message, kw_only=True, frozen=True):
    """What runs here."""

    id: str
    runtime_version: str
    pid: int
    model: str
    #: Empty until a model is loaded, then e.g. "cpu, int8, 2 threads".
    device: str
    loaded: bool
    n_waiting: int
    n_running: int
    uptime_s: float
    peak_memory_bytes: int
    log_path: str
    #: What is wrong, one sentence each; empty when all is well.
    problems: tuple[str, ...] = ()


class Stopping(Message, kw_only=True, frozen=True):
    """The last message of a runtime that leaves: what is open now was never begun."""

    #: Of the `Shutdown` it answers; empty for the clients that did not ask.
    id: str
