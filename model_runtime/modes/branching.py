"""Other ways to fill a span: where the likeliest text might as well have gone on otherwise.

At every token of the fill the base had other tokens in mind. The likeliest of these departures,
each with all that stands before it, are taken, and the span is settled again from there, for all of
them side by side. So the alternatives differ, they are as likely as can be had for their number,
and what they share with the fill costs nothing. (Drawn at random most would be the fill once more.)
Where only the best of them is wanted, see `best_of`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from model_runtime.modes.best_of import BestOf, total_of
from model_runtime.text.chance import N_OTHERS, Chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import Fill, LaidOut

#: Departures looked at for each alternative that is asked for.
N_TRIES = 2
#: Where only the best is wanted: from which log-probability on a fill is sure, and by how many nats
#: a departure may be less likely than the whole fill.
SURE = -0.7
HOPELESS = 3.0
#: Fills looked at, beside the first, where only the best is wanted: of one line, and of several.
N_OTHER_LINES = 3
N_OTHER_BLOCKS = 1
#: For alternatives that are drawn.
ALTERNATIVE_TEMPERATURE = 0.8


def n_branches(job: Job) -> int:
    """Return how many other fills of a request's one span are worth making."""
    request = job.request
    (span,) = request.spans
    n_asked = request.n_alternatives - 1
    # What is said in words no score knows of; and a whole body is found by the chat prompt, or by
    # none: the likeliest of a few is right no oftener than the first.
    is_in_chat = job.model.layout.form_of(request, span) != "fim"
    # And a departure costs a whole fill where nothing checks drafts.
    if n_asked or not request.best_only or is_in_chat or job.model.layout.is_sized:
        return n_asked
    return N_OTHER_LINES if span.single_line else N_OTHER_BLOCKS


def is_greedy(sampler: AnySampler) -> bool:
    """Say whether a sampler gives the likeliest text, the same each time."""
    return bool(getattr(sampler.params, "temperature", 0) == 0)


def warmer(sampler: AnySampler) -> AnySampler:
    """Return the sampler at a temperature, where it has one and was asked for none."""
    if getattr(sampler.params, "temperature", None) != 0:
        return sampler
    warm = msgspec.structs.replace(sampler.params, temperature=ALTERNATIVE_TEMPERATURE)
    return type(sampler)(warm)


def branches(job: Job, laid_out: LaidOut, fill: Fill, n_branches: int) -> Iterator[Fill]:
    """Yield other fills of a request's one span, the likeliest departure first.

    Args:
        job: its request has one span.
        laid_out: the span, as it was before it was settled.
        fill: what it was settled to.
        n_branches: how many, at most.
    """
    if n_branches == 0:
        return
    seen = {fill.text}
    fill = with_chances(job, laid_out, fill)
    best_of = None
    if job.request.best_only and job.request.spans[0].single_line:
        best_of = BestOf(job, fill)
    untried = departures(job, laid_out, fill)[: n_branches * N_TRIES]
    while untried and (n_missing := n_branches + 1 - len(seen)):
        heads, untried = untried[:n_missing], untried[n_missing:]
        # As long as the fill where its length was found.
        n_open = len(fill.token_ids) if laid_out.is_sized else laid_out.n_open
        # Behind another token mostly the same follows: with a sampler that checks a text, it is few
        # forwards.
        text_ids = fill.token_ids if job.sampler.takes_text else []
        canvases = [
            replace(
                laid_out.resumed(head, n_open - len(head), text_ids[len(head) :], known),
                is_fitted=laid_out.is_sized,
            )
            for head, known in heads
        ]
        for other in best_of.settle(canvases) if best_of else job.settle_each(canvases):
            if other.text not in seen and other.text.strip():
                seen.add(other.text)
                yield other
        if best_of:
            # The likeliest were all there; and those that were given up have shown that they can't
            # win.
            return


def with_chances(job: Job, laid_out: LaidOut, fill: Fill) -> Fill:
    """Return a fill of whose tokens it is known how likely they are, and which others are.

    The rows that settled it have said so; where they have not, the base is asked.
    """
    if fill.chances:
        return fill
    judged = job.judge(laid_out.context, fill.token_ids, N_OTHERS, behind=laid_out.behind)
    rows = zip(judged.own.tolist(), judged.best_ids.tolist(), judged.best.tolist(), strict=True)
    chances = [
        Chance(own, own, tuple(zip(best_ids, best, strict=True))) for own, best_ids, best in rows
    ]
    return replace(fill, chances=tuple(chances))


def departures(job: Job, laid_out: LaidOut, fill: Fill) -> list[tuple[list[int], list[Chance]]]:
    """Return beginnings of the fill whose last token is another one, the likeliest first.

    Beside each, how likely its tokens are.

    Args:
        job: says which count.
        laid_out: what the fill was made of.
        fill: of it.
    """
    fill = with_chances(job, laid_out, fill)
    decode = job.model.layout.template.tokenizer.decode
    total, before, least = total_of(fill), 0.0, -math.inf
    if job.request.best_only:
        least = 0.0 if total >= SURE else total - HOPELESS
    found: list[tuple[float, list[int], list[Chance]]] = []
    for at, (own, chance) in enumerate(zip(fill.token_ids, fill.chances, strict=True)):
        for token_id, nats in chance.others:
            head_ids = [*fill.token_ids[:at], token_id]
            likely = before + nats
            if token_id != own and likely > least and decode(head_ids).startswith(laid_out.lead):
                found.append((likely, head_ids, [*fill.chances[:at], Chance(nats, nats)]))
        before += chance.own
    found.sort(key=lambda departure: departure[0], reverse=True)
    return [(head_ids, known) for _, head_ids, known in found]
