"""Repair: what the model finds much likelier than what stands there, and clearly so at the place.

Proposals (see `proposals`) are scored by the base, so what comes after a token has its say too: of
the texts that differ in one place the likeliest is the likeliest token there given all others. That
is a step of coordinate ascent (iterated conditional modes, Besag 1986); of a line it is repeated
while it pays. A proposal is first judged by what it changes and a few tokens behind it, for that
takes few rows; the best are judged as whole texts. A family that sees both sides of a change judges
it by what changes alone, given all the rest (see `in_place`).

Of what is likelier, `change` says how likely it is to be right. The others come behind the
unchanged text: whoever knows the language's syntax may prefer one of them where that text does not
parse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from model_runtime.modes.change import N_BEHIND, Change, change_of, ends, is_same, worth_here
from model_runtime.modes.in_place import both_sides, judged_in_place
from model_runtime.modes.proposals import N_PROPOSED, JudgedText, propose, tokens_of
from model_runtime.protocol import Alternative, Stretch
from model_runtime.text.syntax import syntax_of

if TYPE_CHECKING:
    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import LaidOut

#: Nats that a further round has to gain.
PAYS = 0.7
#: How often a text is looked at again, where it has no more tokens than this.
N_ROUNDS = 2
SHORT = 40
#: Proposals that are judged as a whole.
N_WHOLE = 4


def repair(job: Job) -> list[Alternative]:
    """Return the text of the one span, and what it might better be."""
    (span,) = job.request.spans
    laid_out = job.lay_out([span.text], 0, text=span.text)
    if not laid_out.text_ids:
        return [Alternative(texts=(span.text,), finish="unchanged")]
    first = _first(job, laid_out)
    told = _told(job, laid_out, first)
    best, known = first, {first.token_ids}
    chosen = change_of(first, first)
    found = [chosen]
    for _ in range(N_ROUNDS if len(first.token_ids) <= SHORT else 1):
        proposed = dict.fromkeys(propose(job, laid_out, best, told))
        new = [one for one in proposed if one not in known]
        known |= set(new)
        found += [change_of(first, text) for text in _judged(job, laid_out, best, new)]
        most = max(found, key=lambda change: change.worth)
        if most.worth < chosen.worth + PAYS:
            break
        chosen, best = most, most.text
        if laid_out.is_sized:
            best = both_sides(job, laid_out, best.token_ids, best.score)
    return _ranked(job, first, found, told)


def _first(job: Job, laid_out: LaidOut) -> JudgedText:
    """Return the text that stands there, judged."""
    token_ids = tuple(laid_out.text_ids)
    if laid_out.is_sized:
        return both_sides(job, laid_out, token_ids, 0.0)
    return _judge(job, laid_out, [token_ids])[0]


def _judged(
    job: Job, laid_out: LaidOut, best: JudgedText, new: list[tuple[int, ...]]
) -> list[JudgedText]:
    """Return the proposals that are worth it, judged beside the text they were made of."""
    if laid_out.is_sized:
        return judged_in_place(job, laid_out, best, new)
    return _judge(job, laid_out, _shortlist(job, laid_out, best, new))


def _ranked(
    job: Job, first: JudgedText, found: list[Change], told: tuple[int, int] | None
) -> list[Alternative]:
    (span,) = job.request.spans
    decode = job.model.layout.template.tokenizer.decode
    syntax = syntax_of(job.request.language, job.request.path, job.request.prefix)
    changes = dict[str, Change]()
    for change in found:
        said = _in_place(decode(list(change.text.token_ids)), span.text)
        # Of two ways to spell a text the likelier one counts.
        if not is_same(said, span.text, syntax) and (
            said not in changes or change.gain > changes[said].gain
        ):
            changes[said] = change
    unchanged = Alternative(texts=(span.text,), score=first.a_token(first), finish="unchanged")
    ranked = [(0.0, unchanged)]
    for said, change in changes.items():
        logit = change.logit(
            is_line="\n" not in span.text.strip(), is_told=_is_told(job, change, told)
        )
        ranked.append((logit, _alternative(said, first, change, logit)))
    ranked.sort(key=lambda pair: pair[0], reverse=True)
    return [alternative for _, alternative in ranked][: job.request.n_alternatives]


def _alternative(said: str, first: JudgedText, change: Change, logit: float) -> Alternative:
    sure = Stretch(n_chars=len(said), confidence=1 / (1 + math.exp(-max(logit, -50.0))))
    return Alternative(texts=(said,), score=change.text.a_token(first), confidence=((sure,),))


def _is_told(job: Job, change: Change, told: tuple[int, int] | None) -> bool:
    """Say whether somebody said that something is wrong where a change is made."""
    if told is None:
        return bool(job.request.instruction.strip())
    return told[0] <= change.end and change.start <= told[1]


def _told(job: Job, laid_out: LaidOut, text: JudgedText) -> tuple[int, int] | None:
    """Return which tokens a diagnostic points at; None for none."""
    (span,) = job.request.spans
    if span.told is None:
        return None
    # What the canvas shows before the text is no part of it.
    start, end = (at + len(laid_out.blanks) for at in span.told)
    return tokens_of(job, text.token_ids, start, end)


def _shortlist(
    job: Job, laid_out: LaidOut, text: JudgedText, proposed: list[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the proposals that are worth most where they are made."""
    if len(proposed) <= N_WHOLE:
        return proposed
    cuts = []
    for one in proposed:
        _, tail = ends(text.token_ids, one)
        cuts.append(one[: len(one) - tail + N_BEHIND])
    judged = job.judge_several(laid_out.context, cuts)
    worth = [worth_here(text, *pair) for pair in zip(proposed, judged, strict=True)]
    order = sorted(range(len(proposed)), key=worth.__getitem__, reverse=True)
    return [proposed[index] for index in order[:N_WHOLE]]


def _in_place(text: str, before: str) -> str:
    """Return a text with the blanks around it that the text before had."""
    stripped = before.strip()
    start = before.index(stripped)
    return before[:start] + text.strip() + before[start + len(stripped) :]


def _judge(job: Job, laid_out: LaidOut, texts: list[tuple[int, ...]]) -> list[JudgedText]:
    judged = job.judge_several(laid_out.context, texts, 1 + N_PROPOSED)
    return [JudgedText(*pair) for pair in zip(texts, judged, strict=True)]
