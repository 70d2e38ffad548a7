"""Faults of the runtime, and whose they are.

    RuntimeFault
    ├── BadRequest           the request's: a value out of range, an impossible combination
    │   ├── UnknownName          a sampler, model, cache or parameter that does not exist
    │   ├── UnsupportedPairing   each exists, but not together
    │   └── CanvasTooLong        more text than the model or the limit takes
    ├── ModelLoadFailed      ours or the machine's: weights missing, damaged, too large
    ├── DeviceFailed         the machine's: its accelerator gave a request up
    ├── RemoteFailed         the remote engine's
    ├── Busy                 the client's: it has too many requests waiting
    └── Stopped              nobody's: the job was told to stop
        ├── Cancelled            by its client
        ├── Superseded           by a newer request for the same document
        ├── DeadlinePassed       by its own deadline
        ├── GaveWay              by something more urgent; it is done later
        └── ShuttingDown         by the runtime, which leaves

Each has a `code`, the one that goes on the wire, and a message written for the user: what
happened, and what to do. Anything else that escapes an engine is a bug and becomes "internal".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_runtime.protocol import FailureCode


class RuntimeFault(Exception):
    """Base of every fault that has a name."""

    code: ClassVar[FailureCode] = "internal"


class BadRequest(RuntimeFault):
    """The request asks for something that can't be."""

    code: ClassVar[FailureCode] = "bad_request"


class UnknownName(BadRequest):
    """A name that is not in its registry. The message lists the ones that are."""

    code: ClassVar[FailureCode] = "unknown_name"

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; allowed: {', '.join(sorted(allowed))}")


class UnsupportedPairing(BadRequest):
    """Two things that exist but do not work together."""

    code: ClassVar[FailureCode] = "unsupported_pairing"


class CanvasTooLong(BadRequest):
    """More tokens than the model, or the limit, takes."""

    code: ClassVar[FailureCode] = "canvas_too_long"


class ModelLoadFailed(RuntimeFault):
    """The weights could not be had, or are not what they should be."""

    code: ClassVar[FailureCode] = "model_load_failed"


class DeviceFailed(RuntimeFault):
    """The accelerator ran out of memory, or stopped working, in the middle of a request."""

    code: ClassVar[FailureCode] = "internal"


class RemoteFailed(RuntimeFault):
    """The engine on the other end refused, failed or vanished."""

    code: ClassVar[FailureCode] = "remote_failed"


class Busy(RuntimeFault):
    """One client has more requests waiting than the queue takes."""

    code: ClassVar[FailureCode] = "busy"


class Stopped(RuntimeFault):
    """The job was told to stop."""


class Cancelled(Stopped):
    """The client gave the request up."""

    code: ClassVar[FailureCode] = "cancelled"


class Superseded(Stopped):
    """A newer request for the same document took its place."""

    code: ClassVar[FailureCode] = "superseded"


class DeadlinePassed(Stopped):
    """The request's time ran out."""

    code: ClassVar[FailureCode] = "deadline"


class GaveWay(Stopped):
    """Something more urgent came; the job waits for another turn, and nobody is told."""

    code: ClassVar[FailureCode] = "superseded"


class ShuttingDown(Stopped):
    """The runtime leaves; a later request starts a new one."""

    code: ClassVar[FailureCode] = "shutting_down"
