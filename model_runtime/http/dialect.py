"""What a dialect is: bodies in, bodies out. Everything else is the same for all of them."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from model_runtime.http.cut import Cut
from model_runtime.http.faults import BadBody
from model_runtime.http.fill import Ask
from model_runtime.http.forms import (
    Amount,
    Stops,
    limit_of,
    line_end_of,
    plain,
    seed_of,
    stops_of,
    sureness_of,
)
from model_runtime.protocol import ContextFile, InfillRequest, MaskSpan, Mode
from model_runtime.service.jobs import MAX_ALTERNATIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Filled, Piece
    from model_runtime.http.marks import Hole

#: Event-stream clients of OpenAI and its kin wait for this.
DONE = b"data: [DONE]\n\n"

_ids = itertools.count(1)


class Choose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no other server has: how to denoise. The `remask` field of every body."""

    path: str = ""
    language: str = ""
    #: See `InfillRequest.mode`; to rewrite or repair, `text` is what stands there now.
    mode: Mode = "infill"
    text: str = ""
    instruction: str = ""
    strength: float = 1.0
    #: Names and parameters as in the runtime's settings.
    sampler: str = ""
    params: dict[str, Any] = {}
    #: See `InfillRequest.may_glance`; None is as the dialect's clients mostly want it.
    may_glance: bool | None = None
    #: How sure a text has to be, 0 to 1 or a word of `LEAST_CONFIDENCE`; the reply then tells how
    #: sure it is. None takes the server's own setting, and tells nothing.
    confidence: float | str | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What all the dialects' bodies have. Fields that they don't know are left alone."""

    #: Of any name: one is served.
    model: Any = None
    stream: bool | None = None
    #: Whether to stream whole drafts, masks included.
    diffusing: bool | None = None
    stop: Stops = None
    #: The most tokens, by every name that clients have for it; see `forms.limit_of`.
    max_tokens: Amount = None
    max_completion_tokens: Amount = None
    n_predict: Amount = None
    seed: Amount = None
    remask: Choose = Choose()
    # What would change the reply's meaning; see `MEANINGS`.
    echo: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    n_probs: Any = None
    grammar: Any = None
    json_schema: Any = None
    format: Any = None
    response_format: Any = None
    images: Any = None


#: What is refused, with the reason, wherever a body has it.
MEANINGS = {
    "echo": "echo is not supported: the reply has the fill alone",
    "logprobs": "logprobs are not supported: this model does not say them",
    "top_logprobs": "logprobs are not supported: this model does not say them",
    "n_probs": "n_probs is not supported: this model does not say probabilities",
    "grammar": "grammar is not supported: a diffusion model fills freely",
    "json_schema": "json_schema is not supported: a diffusion model fills freely",
    "format": "format is not supported: a diffusion model fills freely",
    "response_format": "response_format is not supported: a diffusion model fills freely",
    "images": "images are not supported: this model reads text",
}
#: A format that asks for nothing.
_TEXT = ({"type": "text"}, "text")


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
    #: What a stream is called, and what ends it.
    media_type: ClassVar[str] = "text/event-stream"
    farewell: ClassVar[bytes] = b""

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

    def heartbeat(self, turn: Turn) -> bytes:  # noqa: ARG002
        """Return what says nothing, and shows that a stream lives."""
        return b": still at it\n\n"

    def event(self, body: Any) -> bytes:
        """Return an event as it goes over the line."""
        return b"data: " + msgspec.json.encode(body) + b"\n\n"


@dataclass(frozen=True)
class Wanted:
    """What a dialect reads of a body besides the text."""

    seed: Amount = None
    n: Amount = None
    #: Whether a stream ends with what it cost.
    tells_usage: bool = False
    may_glance: bool = False
    #: See `Cut.n_indent`.
    n_indent: int = 0
    #: See `Ask`.
    enough_s: float = 0.0
    fields: tuple[str, ...] = ()
    #: Names for the limit that only this dialect has.
    limits: tuple[Amount, ...] = ()
    stop: Stops = None
    #: What is streamed where the body does not say.
    streams: bool = False
    #: The file's, where the body has it elsewhere than in `remask`.
    language: str = ""


def next_id() -> str:
    """Return an id for a request that no other of this process has."""
    return f"{os.getpid()}-{next(_ids)}"


def refuse_meanings(body: Body) -> None:
    """Refuse what would change the reply's meaning.

    Raises:
        BadBody: says what it is.
    """
    for field, why in MEANINGS.items():
        if (value := getattr(body, field)) and value not in _TEXT:
            raise BadBody(why, field)


def ask_for(body: Body, holes: Sequence[Hole], wanted: Wanted) -> Ask:
    """Return the runtime's requests for one empty span in each of several texts.

    Raises:
        BadBody: the body asks for what can't be.
    """
    refuse_meanings(body)
    choose = body.remask
    stops = stops_of(body.stop if body.stop is not None else wanted.stop)
    limit = limit_of(*wanted.limits, body.max_tokens, body.max_completion_tokens, body.n_predict)
    span = MaskSpan(text=plain(choose.text), max_tokens=limit or None, single_line="\n" in stops)
    confidence = _sureness(choose.confidence)
    request = InfillRequest(
        id="",
        language=choose.language or wanted.language,
        mode=choose.mode,
        instruction=choose.instruction,
        strength=choose.strength,
        prefix="",
        suffix="",
        spans=(span,),
        sampler=choose.sampler,
        params=choose.params,
        seed=seed_of(wanted.seed if body.seed is None else body.seed),
        n_alternatives=_number(wanted.n),
        least_confidence=confidence,
        lane="inline",
        may_glance=wanted.may_glance if choose.may_glance is None else choose.may_glance,
    )
    suffixes = [plain(hole.suffix) for hole in holes]
    return Ask(
        requests=tuple(
            msgspec.structs.replace(
                request,
                id=next_id(),
                path=choose.path or hole.path,
                prefix=plain(hole.prefix),
                suffix=suffix,
                context=tuple(
                    ContextFile(path=file.path, text=plain(file.text)) for file in hole.files
                ),
            )
            for hole, suffix in zip(holes, suffixes, strict=True)
        ),
        cuts=tuple(Cut(stops, wanted.n_indent, suffix) for suffix in suffixes),
        line_ends=tuple(line_end_of(hole.prefix, hole.suffix) for hole in holes),
        enough_s=wanted.enough_s,
        stream=wanted.streams if body.stream is None else body.stream,
        diffusing=bool(body.diffusing),
        tells_usage=wanted.tells_usage,
        is_warm_up=limit == 0,
        chooses_confidence=confidence is not None or choose.mode != "infill",
        tells_confidence=confidence is not None,
        fields=wanted.fields,
    )


def _sureness(value: float | str | None) -> float | None:
    try:
        return None if value is None else sureness_of(value)
    except ValueError as error:
        raise BadBody(str(error), "remask.confidence") from error


def _number(amount: Amount) -> int:
    """Return how many choices are wanted, as many as there can be.

    Raises:
        BadBody: none.
    """
    if amount is None:
        return 1
    if not amount >= 1:
        raise BadBody("n has to be 1 or more", "n")
    return int(min(amount, MAX_ALTERNATIVES))
