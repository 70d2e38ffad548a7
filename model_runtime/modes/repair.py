"""Repair: what the base finds much likelier than what stands there, and clearly so at the place.

Proposals (see `proposals`) are scored by the base, so what comes after a token has its say too: of
the texts that differ in one place the likeliest is the likeliest token there given all others. That
is a step of coordinate ascent (iterated conditional modes, Besag 1986); of a line it is repeated
while it pays. A proposal is first judged by what it changes and a few tokens behind it, for that
takes few rows; the best are judged as whole texts.

Most code is right, so a change has to be much likelier than what stands there to be put first: as
a whole, and where it is made; a sum of small gains elsewhere is a matter of style. The more places
were compared, the likelier one of them gains by chance. Both make a probability that the change is
right, fitted on faults and right bodies that no figure tells of. The others come behind the
unchanged text: whoever knows the language's syntax may prefer one of them where that text does not
parse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_runtime.modes.proposals import N_PROPOSED, JudgedText, propose, tokens_of
from model_runtime.protocol import Alternative, Stretch
from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import LaidOut

#: Nats by which a change has to be likelier than the text as it stands, to be as likely right as
#: wrong: in a line; in several, where it has to be clear in one place, for a text of one token and
#: more for each time it is e times as long; and by how many less where a diagnostic has told that
#: something is wrong there.
MARGIN_LINE = 8.0
MARGIN = 4.0
MARGIN_GROWTH = 0.5
TOLD = 4.0
#: Nats that make e-fold odds.
NATS = 1.5
#: Nats that a further round has to gain.
PAYS = 0.7
#: How often a text is looked at again, where it has no more tokens than this.
N_ROUNDS = 2
SHORT = 40
#: Tokens behind a change by which it is judged first; proposals that are then judged as a whole.
N_BEHIND = 12
N_WHOLE = 8


@dataclass(frozen=True)
class Change:
    """A text beside the one that stands there."""

    text: JudgedText
    said: str
    #: Nats that it gains as a whole, and up to a few tokens behind the change.
    gain: float
    gain_here: float
    #: Where it changes the text that stands there, in tokens of that.
    start: int
    end: int

    def logit(self, margin: float) -> float:
        """Return the log-odds that the change is right."""
        return (min(self.gain, self.gain_here) - margin) / NATS


def repair(job: Job) -> list[Alternative]:
    """Return the text of the one span, and what it might better be."""
    (span,) = job.request.spans
    laid_out = job.lay_out([span.text], 0, text=span.text)
    (first,) = found = _judge(job, laid_out, [tuple(laid_out.text_ids)])
    told = _told(job, laid_out, first)
    best, known = first, {first.token_ids}
    for _ in range(N_ROUNDS if len(first.token_ids) <= SHORT else 1):
        proposed = dict.fromkeys(propose(job, laid_out, best, told))
        new = [one for one in proposed if one not in known]
        known |= set(new)
        found += _judge(job, laid_out, _shortlist(job, laid_out, best, new))
        likeliest = max(found, key=lambda text: text.score)
        if likeliest.score < best.score + PAYS:
            break
        best = likeliest
    return _ranked(job, first, found, told)


def _ranked(
    job: Job, first: JudgedText, found: list[JudgedText], told: tuple[int, int] | None
) -> list[Alternative]:
    (span,) = job.request.spans
    decode = job.model.layout.template.tokenizer.decode
    changes = dict[str, Change]()
    for text in found:
        said = _in_place(decode(list(text.token_ids)), span.text)
        change = _change(first, text, said)
        # Blank lines are a matter of taste; of two ways to spell a text the likelier one counts.
        if not _is_same(said, span.text) and (
            said not in changes or change.gain > changes[said].gain
        ):
            changes[said] = change
    scored = [(one.logit(_margin(job, first, one, told)), one) for one in changes.values()]
    unchanged = Alternative(
        texts=(span.text,), score=float(first.judged.own.mean()), finish="unchanged"
    )
    ranked = [(0.0, unchanged), *((logit, _alternative(one, logit)) for logit, one in scored)]
    ranked.sort(key=lambda pair: pair[0], reverse=True)
    return [alternative for _, alternative in ranked][: job.request.n_alternatives]


def _alternative(change: Change, logit: float) -> Alternative:
    sure = Stretch(n_chars=len(change.said), confidence=1 / (1 + math.exp(-max(logit, -50.0))))
    return Alternative(
        texts=(change.said,), score=float(change.text.judged.own.mean()), confidence=((sure,),)
    )


def _margin(job: Job, first: JudgedText, change: Change, told: tuple[int, int] | None) -> float:
    """Return how many nats a change has to gain."""
    (span,) = job.request.spans
    margin = MARGIN_LINE
    if "\n" in span.text.strip():
        margin = MARGIN + MARGIN_GROWTH * math.log(len(first.token_ids))
    is_there = told is None or (told[0] <= change.end and change.start <= told[1])
    has_words = told is not None or bool(job.request.instruction.strip())
    return margin - TOLD * (has_words and is_there)


def _told(job: Job, laid_out: LaidOut, text: JudgedText) -> tuple[int, int] | None:
    """Return which tokens a diagnostic points at; None for none."""
    (span,) = job.request.spans
    if span.told is None:
        return None
    # What the canvas shows before the text is no part of it.
    start, end = (at + len(laid_out.blanks) for at in span.told)
    return tokens_of(job, text.token_ids, start, end)


def _change(first: JudgedText, text: JudgedText, said: str) -> Change:
    old, new = first.token_ids, text.token_ids
    head, tail = _ends(old, new)
    own, before = text.judged.own, first.judged.own
    here = own[head : len(new) - tail + N_BEHIND].sum()
    there = before[head : len(old) - tail + N_BEHIND].sum()
    gain_here = float(here - there)
    return Change(text, said, text.score - first.score, gain_here, head, len(old) - tail)


def _ends(old: Sequence[int], new: Sequence[int]) -> tuple[int, int]:
    """Return how many tokens two texts share at their starts, and at their ends behind that."""
    head = n_shared(old, new)
    shortest = min(len(old), len(new)) - head
    return head, min(shortest, n_shared(old[::-1], new[::-1]))


def _shortlist(
    job: Job, laid_out: LaidOut, text: JudgedText, proposed: list[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the proposals that gain most where they are made."""
    if len(proposed) <= N_WHOLE:
        return proposed
    own = text.judged.own
    cuts, there = list[tuple[int, ...]](), list[float]()
    for one in proposed:
        _, tail = _ends(text.token_ids, one)
        cuts.append(one[: len(one) - tail + N_BEHIND])
        there.append(float(own[: len(own) - tail + N_BEHIND].sum()))
    judged = job.judge_several(laid_out.context, cuts)
    gains = [float(one.own.sum()) - before for one, before in zip(judged, there, strict=True)]
    order = sorted(range(len(proposed)), key=gains.__getitem__, reverse=True)
    return [proposed[index] for index in order[:N_WHOLE]]


def _is_same(one: str, other: str) -> bool:
    """Say whether two texts differ in blank lines and blanks at lines' ends only."""
    lines = ([line.rstrip() for line in text.split("\n") if line.strip()] for text in (one, other))
    return next(lines) == next(lines)


def _in_place(text: str, before: str) -> str:
    """Return a text with the blanks around it that the text before had."""
    stripped = before.strip()
    start = before.index(stripped)
    return before[:start] + text.strip() + before[start + len(stripped) :]


def _judge(job: Job, laid_out: LaidOut, texts: list[tuple[int, ...]]) -> list[JudgedText]:
    judged = job.judge_several(laid_out.context, texts, 1 + N_PROPOSED)
    return [JudgedText(*pair) for pair in zip(texts, judged, strict=True)]
