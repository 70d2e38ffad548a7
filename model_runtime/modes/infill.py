"""Infill and holes: every token of the spans masked.

Several spans are filled one after another, each seeing the fills before it. Holes are then filled
again, given the others as they now are and starting from what they hold, until none changes: what
stays is checked at many tokens a forward. It is coordinate ascent on the text's likelihood
(iterated conditional modes, Besag 1986, section 2.5), and so it ends; a bound on its rounds guards
against a tie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.modes.ranking import several
from model_runtime.protocol import Alternative

if TYPE_CHECKING:
    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import Fill

#: How often a hole is filled at most.
MAX_ROUNDS = 3


def infill(job: Job) -> list[Alternative]:
    """Fill every span once."""
    return several(job, lambda sampler: _fill(job, sampler, 1))


def holes(job: Job) -> list[Alternative]:
    """Fill every span until each fits the others."""
    return several(job, lambda sampler: _fill(job, sampler, _n_rounds(sampler)))


def _n_rounds(sampler: AnySampler) -> int:
    """Drawn anew a fill would never stay; and only `hybrid` goes on from a text."""
    is_greedy = getattr(sampler.params, "temperature", 0) == 0
    return MAX_ROUNDS if is_greedy and sampler.takes_text else 1


def _fill(job: Job, sampler: AnySampler, n_rounds: int) -> Alternative:
    # What is to be replaced, or marks a hole, is not shown: it would be said again.
    texts = [""] * len(job.request.spans)
    fills: dict[int, Fill] = {}
    scores: dict[int, float] = {}
    stale = set(range(len(texts)))
    for _ in range(n_rounds):
        for index in sorted(stale):
            stale.discard(index)
            start = texts[index] if index in fills else None
            laid_out = job.lay_out(texts, index, text=start)
            fill = job.settle(sampler, laid_out, texts, index)
            fills[index] = fill
            if job.request.n_alternatives > 1:
                judged = job.judge(laid_out.context, fill.token_ids)
                scores[index] = float(judged.own.mean())
            if fill.text != texts[index]:
                texts[index] = fill.text
                stale |= fills.keys() - {index}
    return Alternative(
        texts=tuple(texts),
        score=sum(scores.values()) / len(scores) if scores else None,
        finish="closed" if all(fill.finish == "closed" for fill in fills.values()) else "length",
    )
