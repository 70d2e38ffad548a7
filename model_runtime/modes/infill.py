"""Infill and holes: every token of the spans masked.

Several spans are filled one after another, each seeing the fills before it; holes are then filled
again, given the others, until none changes: see `holes`.

Alternatives for one span branch off from the likeliest text, and end where the file may go on; for
several spans they are drawn. Branches cost little and the best of a few is much better than the
first, so where the best one counts some are made unasked, of each of several spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.modes.branching import branches, is_greedy, n_branches, warmer
from model_runtime.modes.holes import MAX_ROUNDS, fill_holes
from model_runtime.modes.ranking import ranked
from model_runtime.protocol import Alternative
from model_runtime.text.showing import up_to
from model_runtime.text.trim import cuts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import Fill


def infill(job: Job) -> list[Alternative]:
    """Fill every span once."""
    return ranked(job, _alternatives(job, 1))


def holes(job: Job) -> list[Alternative]:
    """Fill every span until each fits the others."""
    return ranked(job, _alternatives(job, MAX_ROUNDS))


def _alternatives(job: Job, n_rounds: int) -> Iterator[Alternative]:
    sampler, n_others = job.sampler, job.request.n_alternatives - 1
    if len(job.request.spans) == 1 and is_greedy(sampler) and (n_more := n_branches(job)):
        for fill in _branches(job, n_more):
            confidence = (fill.confidence,) if fill.is_told else ()
            yield Alternative(texts=(fill.text,), finish=fill.finish, confidence=confidence)
            if not job.request.spans[0].single_line:
                for text in filter(str.strip, cuts(fill.text, job.request.suffix)):
                    cut = tuple(up_to(one, len(text)) for one in confidence)
                    yield Alternative(texts=(text,), confidence=cut)
        return
    yield fill_holes(job, sampler, n_rounds)
    for _ in range(n_others):
        yield fill_holes(job, warmer(sampler), n_rounds)


def _branches(job: Job, n_others: int) -> Iterator[Fill]:
    laid_out = job.lay_out([""], 0)
    fill = job.settle(job.sampler, laid_out, [""], 0)
    yield fill
    yield from branches(job, laid_out, fill, n_others)
