"""Next edits: which places of a file no longer fit what the user just changed.

A group of places is judged by the base, together with the change: how likely it finds the lines
that hold them all, read from left to right, in four forms. The file as it stands against the file
with the group put right is the *gain*; the same two with the user's change taken back say what the
gain would be without it, and the difference is what is *due* to the change. What is wrong anyway
is no next edit, and what would be likelier anyway is a matter of taste. It is a test of
interaction: the change and the group belong together where each makes the other likelier.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from model_runtime.caches.causal import CausalCache
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.modes.digest import Spot, are_apart, digest_of, nearest
from model_runtime.modes.wanted import MOST, confidence_of
from model_runtime.protocol import Proposal
from model_runtime.text.window import stepped, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.caches.base import Cache
    from model_runtime.engines.base import CancelToken
    from model_runtime.modes.digest import Digest
    from model_runtime.modes.model import Model
    from model_runtime.protocol import Group, NextEditRequest

#: Tokens before the first line that are read, too; cut in steps of as many, see `text.window`.
N_CONTEXT = 128
#: Characters of lines judged together: the places farthest from the change follow the others.
MAX_JUDGED = 320
#: Rows of one forward: ghost text that comes meanwhile waits for so many at the most.
MAX_ROWS = 64
#: Groups looked at.
MAX_GROUPS = 4


@dataclass
class NextEditJob:
    """One request on its way."""

    request: NextEditRequest
    model: Model
    cache: Cache
    cancel: CancelToken
    n_tokens: int = 0
    n_forwards: int = 0
    seconds: float = field(default=0.0)

    @property
    def changes(self) -> list[Spot]:
        """What was changed, with what stood there before."""
        return [
            Spot(change.start, change.start + len(change.new), change.old)
            for change in self.request.changes
        ]


def next_edits(job: NextEditJob) -> list[Proposal]:
    """Return what is likely enough to be wanted, the likeliest first."""
    started = time.monotonic()
    judged = [_judged(job, group) for group in job.request.groups[:MAX_GROUPS]]
    job.seconds = time.monotonic() - started
    least = job.request.least_confidence
    return sorted(
        (proposal for proposal in judged if proposal and proposal.confidence >= least),
        key=lambda proposal: proposal.confidence,
        reverse=True,
    )


def _judged(job: NextEditJob, group: Group) -> Proposal | None:
    """Judge a group; None where it can't be one, or won't be likely enough whatever is found."""
    request, changes = job.request, job.changes
    places = [Spot(place.start, place.end, place.text) for place in group.places]
    if not changes or not places or not are_apart([*changes, *places]):
        return None
    confidence = partial(confidence_of, request.changes, group)
    least = request.least_confidence
    if confidence(MOST, MOST) < least:
        return None
    judged = nearest(request.text, changes, places, MAX_JUDGED)
    lines = digest_of(request.text, [*changes, *judged])
    stands, put_right = likelihoods(job, lines, ([], judged))
    gain = put_right - stands
    if confidence(gain, MOST) < least:
        return None
    before, wrong = likelihoods(job, lines, (changes, [*changes, *judged]))
    due = gain - (wrong - before)
    return Proposal(places=group.places, confidence=confidence(gain, due), gain=gain, due=due)


def likelihoods(job: NextEditJob, lines: Digest, ways: Sequence[Sequence[Spot]]) -> list[float]:
    """Return the log-probability in nats of some lines, each time with other spots changed.

    What the ways begin alike with counts for none of them: only differences mean something.
    """
    tokenizer = job.model.layout.template.tokenizer
    context = context_of(job, lines)
    texts = [tokenizer.encode(lines.written(spots)) for spots in ways]
    n_shared = 0
    shortest = min(map(len, texts)) - 1
    while n_shared < shortest and len({text[n_shared] for text in texts}) == 1:
        n_shared += 1
    context += texts[0][:n_shared]
    found = []
    for text in texts:
        head, total = list(context), 0.0
        rest = text[n_shared:]
        for start in range(0, len(rest), MAX_ROWS):
            job.cancel.check()
            part = rest[start : start + MAX_ROWS]
            _read(job, head)
            before = job.cache.n_forwards
            (judgement,) = job.model.denoiser.judge_several(head, [part], job.cache)
            job.n_forwards += job.cache.n_forwards - before
            job.n_tokens += len(part)
            total += float(judgement.own.sum())
            head += part
        found.append(total)
    return found


def context_of(job: NextEditJob, lines: Digest) -> list[int]:
    """Return the tokens before the lines [n], at least one."""
    template = job.model.layout.template
    before = template.tokenizer.encode(tail(job.request.text[: lines.start], 2 * N_CONTEXT))
    before = before[stepped(len(before) - 2 * N_CONTEXT, N_CONTEXT) :]
    return template.before_span(template.lay_out(before, []))


def _read(job: NextEditJob, context: list[int]) -> None:
    """Encode a context in pieces, so that what is more urgent need not wait for all of it."""
    denoiser, cache = job.model.denoiser, job.cache
    if not isinstance(cache, CausalCache) or not isinstance(denoiser, CanvasDenoiser):
        return
    cache.drop_inexact()
    wanted = context[:-1]
    while (n_read := cache.n_common(wanted)) < len(wanted):
        job.cancel.check()
        if len(wanted) - n_read <= MAX_ROWS:
            return
        denoiser.encode(wanted[: n_read + MAX_ROWS], cache)
        job.n_forwards += 1
