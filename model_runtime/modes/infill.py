"""Infill and holes: every token of the spans masked.

Several spans are filled one after another, each seeing the fills before it. Holes are then filled
again, given the others as they now are and starting from what they hold, until none changes: what
stays is checked at many tokens a forward. It is coordinate ascent on the text's likelihood
(iterated conditional modes, Besag 1986, section 2.5), and so it ends; a bound on its rounds guards
against a tie.

Alternatives for one span branch off from the likeliest text, and end where the file may go on; for
several spans they are drawn. Branches cost little and the best of a few is much better than the
first, so where the best one counts some are made unasked, of each of several spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.modes.branching import branches
from model_runtime.modes.job import warmer
from model_runtime.modes.ranking import ranked
from model_runtime.protocol import Alternative
from model_runtime.text.showing import up_to
from model_runtime.text.trim import cuts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import Fill, LaidOut

#: How often a hole is filled at most.
MAX_ROUNDS = 3
#: Fills looked at, beside the first, where only the best is wanted: of one line, and of several.
N_OTHER_LINES = 3
N_OTHER_BLOCKS = 1


def infill(job: Job) -> list[Alternative]:
    """Fill every span once."""
    return ranked(job, _alternatives(job, 1))


def holes(job: Job) -> list[Alternative]:
    """Fill every span until each fits the others."""
    return ranked(job, _alternatives(job, MAX_ROUNDS))


def _alternatives(job: Job, n_rounds: int) -> Iterator[Alternative]:
    sampler, n_others = job.sampler, job.request.n_alternatives - 1
    if len(job.request.spans) == 1 and _is_greedy(sampler) and (n_branches := _n_branches(job)):
        for fill in _branches(job, n_branches):
            confidence = (fill.confidence,) if fill.is_told else ()
            yield Alternative(texts=(fill.text,), finish=fill.finish, confidence=confidence)
            if not job.request.spans[0].single_line:
                for text in filter(str.strip, cuts(fill.text, job.request.suffix)):
                    cut = tuple(up_to(one, len(text)) for one in confidence)
                    yield Alternative(texts=(text,), confidence=cut)
        return
    yield _fill(job, sampler, n_rounds)
    for _ in range(n_others):
        yield _fill(job, warmer(sampler), n_rounds)


def _n_branches(job: Job) -> int:
    request = job.request
    n_asked = request.n_alternatives - 1
    # What is said in words no score knows of.
    if n_asked or not request.best_only or request.instruction:
        return n_asked
    return N_OTHER_LINES if request.spans[0].single_line else N_OTHER_BLOCKS


def _branches(job: Job, n_others: int) -> Iterator[Fill]:
    laid_out = job.lay_out([""], 0)
    fill = job.settle(job.sampler, laid_out, [""], 0)
    yield fill
    yield from branches(job, laid_out, fill, n_others)


def _is_greedy(sampler: AnySampler) -> bool:
    return bool(getattr(sampler.params, "temperature", 0) == 0)


def _fill(job: Job, sampler: AnySampler, n_rounds: int) -> Alternative:
    if not (_is_greedy(sampler) and sampler.takes_text):
        # Drawn anew a fill would never stay; and only `hybrid` goes on from a text.
        n_rounds = 1
    # What is to be replaced, or marks a hole, is not shown: it would be said again.
    texts = [""] * len(job.request.spans)
    fills: dict[int, Fill] = {}
    stale = set(range(len(texts)))
    for _ in range(n_rounds):
        for index in sorted(stale):
            stale.discard(index)
            start = texts[index] if index in fills else None
            laid_out = job.lay_out(texts, index, text=start)
            fill = job.settle(sampler, laid_out, texts, index)
            if job.request.best_only and job.request.n_alternatives == 1 and _is_greedy(sampler):
                fill = _best_of(job.alone(texts, index), laid_out, fill, fills.get(index))
            fills[index] = fill
            if fill.text != texts[index]:
                texts[index] = fill.text
                stale |= fills.keys() - {index}
    told = tuple(fills[index].confidence for index in range(len(texts)))
    finishes = {fill.finish for fill in fills.values()}
    return Alternative(
        texts=tuple(texts),
        finish=next((one for one in ("length", "doubt") if one in finishes), "closed"),
        confidence=told if all(fill.is_told for fill in fills.values()) else (),
    )


def _best_of(job: Job, laid_out: LaidOut, fill: Fill, earlier: Fill | None) -> Fill:
    """Return the best of a span's fill and a few others; later on, of it and what stands there."""
    if earlier is None:
        fills = [fill, *branches(job, laid_out, fill, _n_branches(job))]
    else:
        fills = [fill, earlier]
    best = ranked(job, [Alternative(texts=(one.text,)) for one in fills])[0]
    return next(one for one in fills if (one.text,) == best.texts)
