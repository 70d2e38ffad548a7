"""One request on its way: from the runtime's step reports to text that only grows.

`follow` yields what a dialect has to show. Reports are conflated: a client that reads slowly gets
fewer and longer pieces, and nothing piles up for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from model_runtime.http.faults import NotFilled, StillLoading
from model_runtime.http.forms import UNREADABLE, plain
from model_runtime.http.news import News
from model_runtime.protocol import Alternative, Stretch, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from model_runtime.http.cut import Cut, Seen
    from model_runtime.http.link import OnNotice, OnStep
    from model_runtime.protocol import Finished, InfillRequest, Status, StepReport

#: "limit": the most tokens, or the time, ran out.
Ending = Literal["closed", "limit", "stop"]


class Backend(Protocol):
    """What fills requests: the user's runtime, or a team's replicas of it."""

    async def infill(
        self,
        request: InfillRequest,
        on_step: OnStep | None = None,
        on_notice: OnNotice | None = None,
    ) -> Finished:
        """Have a request filled; see `Runtime.infill`."""

    async def status(self) -> Status:
        """Say what runs; see `Runtime.status`."""

    async def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class Ask:
    """A dialect's request in the runtime's terms."""

    #: One for each prompt, all alike but for the texts.
    requests: tuple[InfillRequest, ...]
    #: For each, where its fill ends before the model says so.
    cuts: tuple[Cut, ...]
    #: For each, the line end of the client's text. The runtime's is always plain.
    line_ends: tuple[str, ...]
    #: Seconds from the first step after which what is there is enough, if it has a line; 0 for all.
    enough_s: float = 0.0
    stream: bool = False
    #: Whether to stream whole drafts, masks included, instead of the settled text.
    diffusing: bool = False
    #: Whether a stream ends with what it cost.
    tells_usage: bool = False
    #: Whether nothing is to be said: a client announces context, or wants the model loaded.
    is_warm_up: bool = False
    #: Whether the client says how sure the text has to be; else the server's own setting holds.
    chooses_confidence: bool = False
    #: Whether it wants to be told how sure the text is.
    tells_confidence: bool = False
    #: The fields that the reply shall have; empty for all.
    fields: tuple[str, ...] = ()
    #: What the reply puts before and behind each text.
    frame: tuple[str, str] = ("", "")

    @property
    def n(self) -> int:
        """Choices of each prompt."""
        return self.requests[0].n_alternatives


@dataclass(frozen=True)
class Piece:
    """More settled text; or, where drafts were asked for, the whole draft of a step."""

    text: str
    #: Of the choice that it belongs to.
    index: int = 0
    #: None for settled text.
    step: StepReport | None = None


@dataclass(frozen=True)
class Choice:
    """One way to fill the span, with its end."""

    text: str
    ending: Ending
    #: The stop string that was met.
    stop: str = ""
    #: What no `Piece` has shown yet.
    rest: str = ""
    index: int = 0
    #: See `Alternative.confidence`; of the text, and empty where the engine can't tell.
    confidence: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Filled:
    """The end of a request: at least one choice for each prompt, best first."""

    choices: tuple[Choice, ...]
    usage: Usage
    #: The runtime's own message; None where the fill was cut short before it came.
    finished: Finished | None = None


async def follow(backend: Backend, ask: Ask) -> AsyncGenerator[Piece | Filled]:
    """Have a request filled; yield pieces as they settle, and `Filled` at last.

    Closing the iterator cancels the request. With more than one alternative no pieces come, for
    the best is known only at the end.

    Raises:
        NotFilled: see `Backend.infill`; when time is up, only where there is no text yet.
        StillLoading: the model is not here yet.
    """
    if ask.is_warm_up:
        choices = (Choice("", "limit", index=i * ask.n) for i in range(len(ask.requests)))
        yield Filled(tuple(choices), Usage())
        return
    filled: list[Filled] = []
    for number in range(len(ask.requests)):
        async with aclosing(_follow_one(backend, ask, number)) as events:
            async for event in events:
                if isinstance(event, Filled):
                    filled.append(event)
                else:
                    yield replace(event, index=number * ask.n)
    yield _joined(filled, ask.n)


async def _follow_one(backend: Backend, ask: Ask, number: int) -> AsyncGenerator[Piece | Filled]:
    request, cut, line_end = ask.requests[number], ask.cuts[number], ask.line_ends[number]
    is_single = request.n_alternatives == 1
    # How sure a text is, and what of it is sure enough, is known only at its end.
    is_certain = not request.least_confidence and not ask.tells_confidence
    shows = ask.stream and is_single and (ask.diffusing or is_certain)
    # What is there when time is up will do where text is added, not where code is replaced.
    keeps = request.mode == "infill" and not request.instruction and not ask.diffusing
    watches = shows or (is_single and is_certain and (keeps or bool(cut) or ask.enough_s > 0))
    news = News()
    request = msgspec.structs.replace(request, stream=watches)
    filling = asyncio.ensure_future(
        backend.infill(request, news.put if watches else None, news.hear)
    )
    filling.add_done_callback(lambda _: news.rung.set())
    shown = ""
    step: StepReport | None = None
    try:
        while not filling.done():
            await news.rung.wait()
            if news.notice is not None and not filling.done():
                raise StillLoading(news.notice.text, news.notice.fraction)
            if (news_step := news.take()) is None:
                continue
            step = news_step
            seen = cut.see(step.committed[0], is_whole=False)
            seconds = time.monotonic() - (news.first_at or 0)
            is_enough = 0 < ask.enough_s < seconds
            if is_certain and (seen.is_cut or (is_enough and "\n" in seen.text)):
                choice = Choice(seen.text, "stop" if seen.stop else "limit", seen.stop)
                yield _cut_short(_told(choice, shown, line_end, ask.frame), step, seconds)
                return
            if shows and ask.diffusing:
                draft = plain(step.drafts[0]).replace(UNREADABLE, step.mark)
                yield Piece(_ended(draft, line_end), step=step)
            elif shows and len(seen.text) > len(shown):
                opening = "" if shown else ask.frame[0]
                yield Piece(opening + _ended(seen.text[len(shown) :], line_end))
                shown = seen.text
        try:
            finished = filling.result()
        except NotFilled as fault:
            step = news.take() or step
            kept = cut.see(step.committed[0], is_whole=False).text if step and keeps else ""
            if fault.code != "deadline" or step is None or not kept.strip():
                raise
            told = _told(Choice(kept, "limit"), shown, line_end, ask.frame)
            yield _cut_short(told, step, time.monotonic() - (news.first_at or 0))
            return
        yield _filled(finished, ask, number, shown)
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({filling})
        if filling.done() and not filling.cancelled():
            filling.exception()  # nobody else may ask, and asyncio would complain


def _cut_short(choice: Choice, step: StepReport, seconds: float) -> Filled:
    usage = Usage(n_tokens=step.n_committed, n_forwards=step.n_forwards, denoise_s=seconds)
    return Filled((choice,), usage)


def _filled(finished: Finished, ask: Ask, number: int, shown: str) -> Filled:
    cut, line_end = ask.cuts[number], ask.line_ends[number]
    choices: dict[str, Choice] = {}
    for alternative in finished.alternatives:
        choice = _choice(alternative, cut, line_end)
        # Cut at a stop string, different alternatives may be the same.
        choices.setdefault(choice.text, choice)
    first, *others = choices.values()
    told = [_told(first, shown, line_end, ask.frame)]
    told += [_told(each, "", line_end, ask.frame) for each in others]
    return Filled(tuple(told), finished.usage, finished)


def _choice(alternative: Alternative, cut: Cut, line_end: str) -> Choice:
    """Return an alternative, cut where the client wants it to end; its line ends are plain."""
    text = alternative.texts[0]
    seen = cut.see(text, is_whole=True)
    stretches = alternative.confidence[0] if alternative.confidence else ()
    sure = _within(stretches, text, seen, line_end)
    if seen.is_cut:
        return Choice(seen.text, "stop" if seen.stop else "limit", seen.stop, confidence=sure)
    ending: Ending = "limit" if alternative.finish in {"length", "doubt"} else "closed"
    return Choice(seen.text, ending, confidence=sure)


def _told(choice: Choice, shown: str, line_end: str, frame: tuple[str, str]) -> Choice:
    """Return a choice as the client reads it, with what has not been shown of it yet."""
    # What was shown can't be taken back; an engine that settled something else adds nothing.
    rest = choice.text[len(shown) :] if choice.text.startswith(shown) else ""
    opening, closing = frame
    text = opening + _ended(choice.text, line_end) + closing
    rest = ("" if shown else opening) + _ended(rest, line_end) + closing
    return replace(choice, text=text, rest=rest)


def _ended(text: str, line_end: str) -> str:
    return text.replace("\n", line_end)


def _within(
    stretches: Sequence[Stretch], text: str, seen: Seen, line_end: str
) -> tuple[Stretch, ...]:
    """Return a text's stretches as ones of what is kept of it, in a client's line ends."""
    within: list[Stretch] = []
    at, n_passed, n_left = 0, seen.n_passed, len(seen.text)
    for stretch in stretches:
        piece = plain(text[at : at + stretch.n_chars])
        at += stretch.n_chars
        kept = piece[n_passed:][:n_left]
        n_passed = max(0, n_passed - len(piece))
        n_left -= len(kept)
        if kept:
            n_chars = len(_ended(kept, line_end))
            within.append(Stretch(n_chars=n_chars, confidence=stretch.confidence))
    return tuple(within)


def _joined(filled: Sequence[Filled], n: int) -> Filled:
    """Return several prompts' fills as one, each choice with its index."""
    choices = tuple(
        replace(choice, index=number * n + index)
        for number, one in enumerate(filled)
        for index, choice in enumerate(one.choices)
    )
    if len(filled) == 1:
        return replace(filled[0], choices=choices)
    names = Usage.__struct_fields__
    sums = {name: sum(getattr(one.usage, name) for one in filled) for name in names}
    return Filled(choices, Usage(**sums))
