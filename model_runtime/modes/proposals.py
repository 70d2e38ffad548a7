"""What a text might better be: proposals where the base doubts it.

A token is suspicious where the base, given all to its left and the file behind the span, would far
rather say another. There another token is put in its place or before it, or it is left out; and the
text is denoised again from there, and spliced back into what stood behind it. A family that sees
both sides is given all of it but the suspicious tokens, and denoises these jointly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import torch

from model_runtime.samplers.hybrid import Hybrid, HybridParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.models.base import Judgement
    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import LaidOut

#: Nats by which another token has to be likelier to make one suspicious.
DOUBT = 0.7
#: Suspicious tokens looked at, the worst first; and as many more where a diagnostic points.
N_SUSPECTS = 5
#: Tokens proposed for a place, beside what denoising it again gives.
N_PROPOSED = 2
#: Splices of a text denoised again that are tried.
N_SPLICES = 4
#: How far a text is denoised again.
N_AGAIN = 16


@dataclass(frozen=True)
class JudgedText:
    """A text, and what the model thinks of it.

    Args:
        token_ids: the text, its end included where it has one.
        judged: each token of it.
        relative: by how much its log-probability is above that of the text that stands there; None
            where that of the whole text is known.
    """

    token_ids: tuple[int, ...]
    judged: Judgement
    relative: float | None = None

    @property
    def score(self) -> float:
        """Its log-probability, the end's included, or what is known of it."""
        return float(self.judged.own.sum()) if self.relative is None else self.relative

    def a_token(self, first: JudgedText) -> float:
        """Return its log-probability a token.

        Args:
            first: the text that stands there.
        """
        if self.relative is None:
            return float(self.judged.own.mean())
        before = float(first.judged.own.sum())
        return (before + self.score - first.score) / max(1, len(self.token_ids))


def propose(
    job: Job, laid_out: LaidOut, text: JudgedText, told: tuple[int, int] | None
) -> Iterator[tuple[int, ...]]:
    """Yield texts that differ from one where it is suspicious.

    Args:
        job: on its way.
        laid_out: the span, the text on its canvas.
        text: what is doubted.
        told: from which token to which a diagnostic points; None for none.
    """
    doubt = text.judged.best[:, 0] - text.judged.own
    worst = [at for at in doubt.argsort(descending=True).tolist() if doubt[at] > DOUBT]
    chosen = worst[:N_SUSPECTS]
    if told is not None:
        chosen += [at for at in worst if told[0] <= at < told[1]][:N_SUSPECTS]
    # A wrong name may begin like the right one.
    suspects = sorted({*chosen, *(_word(job, text.token_ids, at)[0] for at in chosen)})
    if laid_out.is_sized or not job.model.denoiser.ordered:
        yield from _remasked(job, laid_out, text, suspects)
        for at in suspects:
            yield from _at(text, at, _word(job, text.token_ids, at)[1])
        return
    again = _denoised_again(job, laid_out, text.token_ids, suspects)
    for at, token_ids in zip(suspects, again, strict=True):
        yield from _at(text, at, _word(job, text.token_ids, at)[1])
        yield from _spliced(text.token_ids, at, token_ids)


def tokens_of(job: Job, token_ids: tuple[int, ...], start: int, end: int) -> tuple[int, int]:
    """Return which tokens hold some characters of their text."""
    decode = job.model.layout.template.tokenizer.decode
    ends = list(accumulate(len(decode([token_id])) for token_id in token_ids))
    first = next((at for at, n in enumerate(ends) if n > start), len(ends))
    last = next((at for at, n in enumerate(ends) if n >= end), len(ends) - 1)
    return first, last + 1


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


def _at(text: JudgedText, at: int, end: int) -> Iterator[tuple[int, ...]]:
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


def _remasked(
    job: Job, laid_out: LaidOut, text: JudgedText, suspects: list[int]
) -> Iterator[tuple[int, ...]]:
    """Yield the text with all that is suspicious masked at once and denoised given both sides.

    What is wrong in several places that belong together is put right in none of them alone.
    """
    words = sorted({
        place for at in suspects for place in range(*_word(job, text.token_ids, at))
    })  # fmt: skip
    if not words:
        return
    opened = [laid_out.opened(text.token_ids, torch.tensor(places)) for places in (words, suspects)]
    n_ways = 1 if words == suspects else 2
    for fill in job.settle_each(opened[:n_ways]):
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
