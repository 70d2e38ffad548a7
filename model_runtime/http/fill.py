"""One request on its way: from the runtime's step reports to text that only grows.

`follow` yields what a dialect has to show. Reports are conflated: a client that reads slowly gets
fewer and longer pieces, and nothing piles up for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from model_runtime.http.cut import Cut
from model_runtime.protocol import Alternative, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from model_runtime.http.link import OnStep
    from model_runtime.protocol import Finished, InfillRequest, Status, StepReport

#: "limit": the most tokens, or the time, ran out.
Ending = Literal["closed", "limit", "stop"]


class Backend(Protocol):
    """What fills requests: the user's runtime, or a team's replicas of it."""

    async def infill(self, request: InfillRequest, on_step: OnStep | None = None) -> Finished:
        """Have a request filled; see `Runtime.infill`."""

    async def status(self) -> Status:
        """Say what runs; see `Runtime.status`."""

    async def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class Ask:
    """A dialect's request in the runtime's terms."""

    request: InfillRequest
    #: The model's name as the client gave it; empty where it doesn't matter.
    model: str = ""
    cut: Cut = field(default_factory=Cut)
    #: Seconds from the first step after which what is there is enough, if it has a line; 0 for all.
    enough_s: float = 0.0
    stream: bool = False
    #: Whether to stream whole drafts, masks included, instead of the settled text.
    diffusing: bool = False
    #: Whether a stream ends with what it cost.
    tells_usage: bool = False
    #: Whether the client only announces context that it will ask about.
    is_warm_up: bool = False
    #: The fields that the reply shall have; empty for all.
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """More settled text; or, where drafts were asked for, the whole draft of a step."""

    text: str
    #: None for settled text.
    step: StepReport | None = None


@dataclass(frozen=True)
class Choice:
    """One way to fill the span, with its end."""

    text: str
    ending: Ending
    #: The stop string that was met.
    stop: str = ""


@dataclass(frozen=True)
class Filled:
    """The end of a request: at least one choice, best first."""

    choices: tuple[Choice, ...]
    usage: Usage
    #: Of the first choice, what no `Piece` has shown yet.
    rest: str
    #: The runtime's own message; None where the fill was cut short before it came.
    finished: Finished | None = None


class _News:
    """The newest step report, and a bell."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.step: StepReport | None = None
        self.first_at: float | None = None

    def put(self, step: StepReport) -> None:
        if self.first_at is None:
            self.first_at = time.monotonic()
        self.step = step
        self.rung.set()

    def take(self) -> StepReport | None:
        self.rung.clear()
        step, self.step = self.step, None
        return step


async def follow(backend: Backend, ask: Ask) -> AsyncGenerator[Piece | Filled]:
    """Have a request filled; yield pieces as they settle, and `Filled` at last.

    Closing the iterator cancels the request. With more than one alternative no pieces come, for
    the best is known only at the end.

    Raises:
        NotFilled: see `Backend.infill`.
    """
    is_single = ask.request.n_alternatives == 1
    shows = ask.stream and is_single
    watches = is_single and (ask.stream or bool(ask.cut) or ask.enough_s > 0)
    news = _News()
    request = msgspec.structs.replace(ask.request, stream=watches)
    filling = asyncio.ensure_future(backend.infill(request, news.put if watches else None))
    filling.add_done_callback(lambda _: news.rung.set())
    shown = ""
    try:
        while not filling.done():
            await news.rung.wait()
            if (step := news.take()) is None:
                continue
            seen = ask.cut.see(step.committed[0], is_whole=False)
            seconds = time.monotonic() - (news.first_at or 0)
            is_enough = 0 < ask.enough_s < seconds
            if seen.is_cut or (is_enough and "\n" in seen.text):
                choice = Choice(seen.text, "stop" if seen.stop else "limit", seen.stop)
                yield _cut_short(choice, step, shown, seconds)
                return
            if shows and ask.diffusing:
                yield Piece(step.drafts[0], step)
            elif shows and len(seen.text) > len(shown):
                yield Piece(seen.text[len(shown) :])
                shown = seen.text
        yield _filled(filling.result(), ask, shown)
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({filling})
        if filling.done() and not filling.cancelled():
            filling.exception()  # nobody else may ask, and asyncio would complain


def _cut_short(choice: Choice, step: StepReport, shown: str, seconds: float) -> Filled:
    usage = Usage(n_tokens=step.n_committed, n_forwards=step.n_forwards, denoise_s=seconds)
    return Filled((choice,), usage, choice.text[len(shown) :])


def _filled(finished: Finished, ask: Ask, shown: str) -> Filled:
    choices: dict[str, Choice] = {}
    for alternative in finished.alternatives:
        choice = _choice(alternative, ask.cut)
        # Cut at a stop string, different alternatives may be the same.
        choices.setdefault(choice.text, choice)
    # What was shown can't be taken back; an engine that settled something else adds nothing.
    first = next(iter(choices))
    rest = first[len(shown) :] if first.startswith(shown) else ""
    return Filled(tuple(choices.values()), finished.usage, rest, finished)


def _choice(alternative: Alternative, cut: Cut) -> Choice:
    seen = cut.see(alternative.texts[0], is_whole=True)
    if seen.is_cut:
        return Choice(seen.text, "stop" if seen.stop else "limit", seen.stop)
    return Choice(seen.text, "limit" if alternative.finish == "length" else "closed")
