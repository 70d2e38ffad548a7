"""Holes: several spans of one file, each filled given all others.

Each is a request of its own, with the others in the file around it. At first there are none: what
waits for its own fill is left out (see `text.markers`). So which hole comes first matters, and
where only the best is wanted the holes are filled from both ends of the file, and the file that the
base finds likelier is gone on with. Then each hole is filled again, given the others as they now
are and starting from what it holds, until none changes: what stays is checked at many tokens a
forward. It is coordinate ascent on the text's likelihood (iterated conditional modes, Besag 1986,
section 2.5), and so it ends; a bound on its rounds guards against a tie.

A family that sees the whole file fills them all at once instead: see `together`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from model_runtime.modes.branching import branches, is_greedy, n_branches
from model_runtime.modes.job import MARK
from model_runtime.modes.ranking import ranked
from model_runtime.modes.together import can_join, fill_together
from model_runtime.protocol import Alternative
from model_runtime.text.markers import holds_marker, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model_runtime.engines.base import Listener
    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.protocol import InfillRequest, StepReport
    from model_runtime.text.laid_out import Fill

#: How often a hole is filled at most.
MAX_ROUNDS = 3

#: The text of each hole, in the order of the file; None where it waits to be filled.
Texts = list["str | None"]


@dataclass
class _Holes:
    """The fills of one request so far."""

    texts: Texts
    fills: dict[int, Fill]
    #: Those that were filled before another one changed.
    stale: set[int]

    @property
    def alternative(self) -> Alternative:
        fills = [self.fills[index] for index in range(len(self.texts))]
        finishes = {fill.finish for fill in fills}
        return Alternative(
            texts=tuple(text or "" for text in self.texts),
            finish=next((one for one in ("length", "doubt") if one in finishes), "closed"),
            confidence=tuple(fill.confidence for fill in fills)
            if all(fill.is_told for fill in fills)
            else (),
        )


def fill_holes(job: Job, sampler: AnySampler, n_rounds: int) -> Alternative:
    """Fill all of a request's spans.

    Args:
        job: its request may have any number of them.
        sampler: decides.
        n_rounds: how often a span is filled at most.
    """
    if can_join(job):
        return fill_together(job, sampler)
    n_spans = len(job.request.spans)
    orders: list[Iterable[int]] = [range(n_spans)]
    if not (is_greedy(sampler) and sampler.takes_text):
        # Drawn anew a fill would never stay; and only `hybrid` goes on from a text.
        n_rounds = 1
    elif n_rounds > 1 and _is_best_wanted(job):
        orders.append(reversed(range(n_spans)))
    best = _likeliest(job, [_started(job, sampler, order) for order in orders])
    for _ in range(n_rounds - 1):
        for index in sorted(best.stale):
            _fill(job, sampler, best, index)
    return best.alternative


def _is_best_wanted(job: Job) -> bool:
    return job.request.best_only and job.request.n_alternatives == 1


def _started(job: Job, sampler: AnySampler, order: Iterable[int]) -> _Holes:
    """Fill each hole once, in an order; each sees the fills before it."""
    holes = _Holes([None] * len(job.request.spans), {}, set())
    for index in order:
        _fill(job, sampler, holes, index)
    return holes


def _likeliest(job: Job, started: list[_Holes]) -> _Holes:
    alternatives = [holes.alternative for holes in started]
    best = ranked(job, alternatives)[0]
    return next(one for one in started if one.alternative.texts == best.texts)


def _fill(job: Job, sampler: AnySampler, holes: _Holes, index: int) -> None:
    """Fill one hole, given what the others hold."""
    request = alone(job.request, holes.texts, index)
    listener = _Among(job.listener, holes.texts, index)
    part = replace(job, request=request, listener=listener, judged={})
    earlier, before = holes.fills.get(index), holes.texts[index]
    laid_out = part.lay_out([""], 0, text=before)
    fill = part.settle(sampler, laid_out, [""], 0)
    job.n_steps = part.n_steps
    if is_greedy(sampler) and _is_best_wanted(job):
        others = [earlier] if earlier else branches(part, laid_out, fill, n_branches(part))
        fill = _best(part, [fill, *others])
    if holds_marker(fill.text, job.request.hole_marker):
        # Nothing was found: to the user an empty text is told as such.
        fill = replace(fill, text="", confidence=())
    holes.fills[index], holes.texts[index] = fill, fill.text
    holes.stale.discard(index)
    if fill.text != before:
        holes.stale |= holes.fills.keys() - {index}


def _best(job: Job, fills: list[Fill]) -> Fill:
    best = ranked(job, [Alternative(texts=(one.text,)) for one in fills])[0]
    return next(one for one in fills if (one.text,) == best.texts)


def alone(request: InfillRequest, texts: Sequence[str | None], index: int) -> InfillRequest:
    """Return the request that one span would be of its own, the others as they stand in `texts`.

    Args:
        request: of several spans.
        texts: of its spans; None where one waits to be filled, which is not shown then.
        index: of the one to be filled.
    """
    waiting = request.hole_marker
    old = [("", request.prefix), *((span.text, span.following) for span in request.spans)]
    old[-1] = old[-1][0], old[-1][1] + request.suffix
    new = list(old)
    for at, (span, text) in enumerate(zip(request.spans, texts, strict=True), start=1):
        new[at] = (waiting if text is None else text), new[at][1]
        where = span.enclosing
        if text is None and where and where.is_body and at != index + 1:
            # A declaration without a body is said again as one: the whole function waits.
            head, tail = new[at - 1][1], new[at][1]
            new[at - 1] = new[at - 1][0], head[: len(head) - where.n_before].rstrip(" \t")
            new[at] = "", tail[where.n_behind :]
    before = old[: index + 1], new[: index + 1]
    span = request.spans[index]
    behind = _behind(old, index), _behind(new, index)
    enclosing = span.enclosing
    if enclosing is not None:
        enclosing = msgspec.structs.replace(
            enclosing,
            n_before=_moved(_flat(before[0])[::-1], _flat(before[1])[::-1], enclosing.n_before),
            n_behind=_moved(_flat(behind[0]), _flat(behind[1]), enclosing.n_behind),
        )
    one = msgspec.structs.replace(
        request,
        prefix="".join(_flat(before[1])),
        suffix="".join(_flat(behind[1])),
        spans=(msgspec.structs.replace(span, following="", enclosing=enclosing),),
    )
    return unmarked(one)


def _behind(pieces: Sequence[tuple[str, str]], index: int) -> list[tuple[str, str]]:
    """Return what stands behind a span."""
    return [("", pieces[index + 1][1]), *pieces[index + 2 :]]


def _flat(pieces: Sequence[tuple[str, str]]) -> list[str]:
    return [text for pair in pieces for text in pair]


def _moved(old: Sequence[str], new: Sequence[str], n_chars: int) -> int:
    """Return how many characters of new pieces stand for the first so many of the old ones."""
    n_moved = 0
    for before, after in zip(old, new, strict=True):
        if n_chars <= 0:
            break
        n_moved += len(after) if len(before) <= n_chars else min(n_chars, len(after))
        n_chars -= len(before)
    return n_moved + max(0, n_chars)


class _Among:
    """A listener to whom the steps of one span are told as those of all."""

    def __init__(self, listener: Listener, texts: Sequence[str | None], index: int) -> None:
        self._listener, self._texts, self._index = listener, texts, index

    def notice(self, text: str, fraction: float | None = None) -> None:
        """See `Listener.notice`."""
        self._listener.notice(text, fraction)

    def step(self, report: StepReport) -> None:
        """See `Listener.step`."""
        drafts = [text or MARK for text in self._texts]
        committed = [text or "" for text in self._texts]
        drafts[self._index], committed[self._index] = report.drafts[0], report.committed[0]
        self._listener.step(
            msgspec.structs.replace(report, drafts=tuple(drafts), committed=tuple(committed))
        )
