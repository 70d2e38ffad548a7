"""What a dialect is: bodies in, bodies out. Everything else is the same for all of them."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import msgspec

from model_runtime.http.faults import BadBody
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Ask, Filled, Piece
    from model_runtime.protocol import ContextFile

#: Event-stream clients of OpenAI and its kin wait for this.
DONE = b"data: [DONE]\n\n"
MAX_STOPS = 16

_ids = itertools.count(1)

Positive = Annotated[int, msgspec.Meta(ge=1, le=8192)]
Seed = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
Stops = list[str] | str | None


class Choose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no other server has: how to denoise. The `remask` field of every body."""

    path: str = ""
    language: str = ""
    instruction: str = ""
    #: Names and parameters as in the runtime's settings.
    sampler: str = ""
    params: dict[str, Any] = {}
    #: See `InfillRequest.may_glance`; None is as the dialect's clients mostly want it.
    may_glance: bool | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What all the dialects' bodies have. Fields that they don't know are left alone."""

    stream: bool | None = None
    #: Whether to stream whole drafts, masks included.
    diffusing: bool | None = None
    stop: Stops = None
    remask: Choose = Choose()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply says of the turn besides the text."""

    id: str
    #: Seconds since 1970.
    created: int
    #: The name of the model that the runtime has.
    model: str


class Dialect(Protocol):
    """One client family's language."""

    #: For metrics.
    name: ClassVar[str]
    body_type: ClassVar[type[msgspec.Struct]]
    #: What a whole reply holds.
    reply_type: ClassVar[type[msgspec.Struct]]
    #: Whether a name that isn't served is refused.
    checks_model: ClassVar[bool]
    #: What ends an event stream.
    farewell: ClassVar[bytes]

    def read(self, body: Any) -> Ask:
        """Translate a validated body.

        Raises:
            BadBody: a combination that can't be.
        """

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> Any:
        """Return the body of a reply that is not streamed."""

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> Any:
        """Return the event for a piece."""

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[Any]:
        """Return the events that end a stream."""

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """Return the body of a refusal, which may be an event too."""


def next_id() -> str:
    """Return an id for a request that no other of this process has."""
    return f"{os.getpid()}-{next(_ids)}"


def infill_request(
    body: Body,
    prefix: str,
    suffix: str,
    *,
    max_tokens: int | None,
    seed: int | None = None,
    n_alternatives: int = 1,
    context: tuple[ContextFile, ...] = (),
    may_glance: bool = False,
) -> InfillRequest:
    """Return the runtime's request for one empty span between two texts."""
    span = MaskSpan(max_tokens=max_tokens, single_line="\n" in read_stops(body.stop))
    return InfillRequest(
        id=next_id(),
        path=body.remask.path,
        language=body.remask.language,
        instruction=body.remask.instruction,
        prefix=prefix,
        suffix=suffix,
        spans=(span,),
        context=context,
        sampler=body.remask.sampler,
        params=body.remask.params,
        seed=None if seed is None or seed < 0 else seed,
        n_alternatives=n_alternatives,
        lane="inline",
        may_glance=may_glance if body.remask.may_glance is None else body.remask.may_glance,
    )


def read_stops(stop: Stops) -> tuple[str, ...]:
    """Return a body's stop strings; an empty one stops nothing.

    Raises:
        BadBody: too many.
    """
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MAX_STOPS:
        raise BadBody(f"stop has {len(stops)} strings; at most {MAX_STOPS} are allowed", "stop")
    return tuple(filter(None, stops))
