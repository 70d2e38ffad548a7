"""Repair: suspicious tokens are proposed anew; what the base finds much likelier wins.

A token is suspicious where the base, given all to its left and the file behind the span, would far
rather say another. There the text is denoised again, and spliced back into what stood behind it.
Each proposal is scored as a whole by the base, so what comes after a token has its say too: of the
texts that differ in one place the likeliest is the likeliest token there given all others. That is
a step of coordinate ascent (iterated conditional modes, Besag 1986); it is repeated while it pays.

Most code is right, so a change has to be much likelier than what stands there to be put first. The
others come behind the unchanged text: whoever knows the language's syntax may prefer one of them
where that text does not parse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model_runtime.modes.ranking import distinct
from model_runtime.protocol import Alternative
from model_runtime.samplers.hybrid import Hybrid, HybridParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.models.canvas import Judgement
    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import LaidOut

#: Nats by which a change has to be likelier than the text as it stands; and where a diagnostic has
#: told that something is wrong there.
MARGIN = 8.0
MARGIN_TOLD = 4.0
#: Nats by which another token has to be likelier to make one suspicious.
DOUBT = 0.7
#: Suspicious tokens looked at in a round, the worst first, and rounds.
N_SUSPECTS = 4
N_ROUNDS = 2
#: Tokens proposed for a place, beside what denoising it again gives.
N_PROPOSED = 2
#: Splices of a text denoised again that are tried.
N_SPLICES = 4
#: How far a text is denoised again.
N_AGAIN = 16


@dataclass(frozen=True)
class _Text:
    """A text, and what the base thinks of it."""

    token_ids: tuple[int, ...]
    judged: Judgement

    @property
    def score(self) -> float:
        """Its log-probability, the end's included."""
        return float(self.judged.own.sum())


def repair(job: Job) -> list[Alternative]:
    """Return the text of the one span, and what it might better be."""
    (span,) = job.request.spans
    laid_out = job.lay_out([span.text], 0, text=span.text)
    (best,) = found = _judge(job, laid_out, [tuple(laid_out.text_ids)])
    for _ in range(N_ROUNDS):
        known = {text.token_ids for text in found}
        proposed = dict.fromkeys(_propose(job, laid_out, best))
        found += _judge(job, laid_out, [one for one in proposed if one not in known])
        likeliest = max(found, key=lambda text: text.score)
        if likeliest.score < best.score + DOUBT:
            break
        best = likeliest
    margin = MARGIN_TOLD if job.request.instruction else MARGIN
    decode = job.model.layout.template.tokenizer.decode
    said = ((_in_place(decode(list(text.token_ids)), span.text), text) for text in found)
    # What stands there is given a lead: most code is right.
    ranked = sorted(
        said, key=lambda pair: pair[1].score + margin * (pair[0] == span.text), reverse=True
    )
    alternatives = distinct(
        Alternative(
            texts=(said,),
            score=float(text.judged.own.mean()),
            finish="unchanged" if said == span.text else "closed",
        )
        for said, text in ranked
    )
    return alternatives[: job.request.n_alternatives]


def _in_place(text: str, before: str) -> str:
    """Return a text with the blanks around it that the text before had."""
    stripped = before.strip()
    start = before.index(stripped)
    return before[:start] + text.strip() + before[start + len(stripped) :]


def _judge(job: Job, laid_out: LaidOut, texts: list[tuple[int, ...]]) -> list[_Text]:
    judged = job.judge_several(laid_out.context, texts, 1 + N_PROPOSED)
    return [_Text(*pair) for pair in zip(texts, judged, strict=True)]


def _propose(job: Job, laid_out: LaidOut, text: _Text) -> Iterator[tuple[int, ...]]:
    """Yield texts that differ from `text` where it is suspicious."""
    doubt = text.judged.best[:, 0] - text.judged.own
    worst = doubt.argsort(descending=True)[:N_SUSPECTS].tolist()
    found = {at for at in worst if doubt[at] > DOUBT}
    # A wrong name may begin like the right one.
    suspects = sorted(found | {_word(job, text.token_ids, at)[0] for at in found})
    again = _denoised_again(job, laid_out, text.token_ids, suspects)
    for at, token_ids in zip(suspects, again, strict=True):
        yield from _at(text, at, _word(job, text.token_ids, at)[1])
        yield from _spliced(text.token_ids, at, token_ids)


def _goes_on(job: Job, token_ids: tuple[int, ...], at: int) -> bool:
    """Say whether a token goes on with a word that the one before it began."""
    decode = job.model.layout.template.tokenizer.decode
    before, here = decode([token_ids[at - 1]]), decode([token_ids[at]])
    return before[-1:].isalnum() and here[:1].isalnum()


def _word(job: Job, token_ids: tuple[int, ...], at: int) -> tuple[int, int]:
    """Return where the word that a token is part of begins and ends."""
    start, end = at, at + 1
    while start and _goes_on(job, token_ids, start):
        start -= 1
    while end < len(token_ids) and _goes_on(job, token_ids, end):
        end += 1
    return start, end


def _at(text: _Text, at: int, end: int) -> Iterator[tuple[int, ...]]:
    """Yield the text with one token, or the word up to `end`, replaced; put in; or left out."""
    head, here, tail = text.token_ids[:at], text.token_ids[at], text.token_ids[at + 1 :]
    for token_id in text.judged.best_ids[at, :N_PROPOSED].tolist():
        if token_id == here:
            continue
        yield (*head, token_id, here, *tail)
        if tail:
            yield (*head, token_id, *tail)
        if tail and end > at + 1:
            yield (*head, token_id, *text.token_ids[end:])
    if tail:
        yield (*head, *tail)


def _denoised_again(
    job: Job, laid_out: LaidOut, token_ids: tuple[int, ...], places: list[int]
) -> Iterator[tuple[int, ...]]:
    """Yield the text as the model goes on from each of some places."""
    # Where it says what stands there already, that is checked and not drafted.
    canvases = [
        laid_out.resumed(token_ids[:at], min(len(token_ids) - at + 4, N_AGAIN), token_ids[at:])
        for at in places
    ]
    for fill in replace(job, sampler=Hybrid(HybridParams())).settle_each(canvases):
        yield tuple(fill.token_ids)


def _spliced(text: tuple[int, ...], at: int, again: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield what was denoised again, up to where it meets the text behind the place."""
    n_found = 0
    if again[-1:] == text[-1:]:
        yield again
    for end in range(at + 1, len(again)):
        if n_found < N_SPLICES and again[end] in text[at:]:
            yield (*again[:end], *text[text.index(again[end], at) :])
            n_found += 1
