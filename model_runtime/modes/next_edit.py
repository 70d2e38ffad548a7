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
from functools import partial
from typing import TYPE_CHECKING

from model_runtime.modes.digest import Spot, are_apart, digest_of, nearest
from model_runtime.modes.doubted import doubted
from model_runtime.modes.judging import likelihoods
from model_runtime.modes.wanted import MOST, confidence_of
from model_runtime.protocol import Proposal

if TYPE_CHECKING:
    from model_runtime.modes.digest import Digest
    from model_runtime.modes.judging import NextEditJob
    from model_runtime.protocol import Place

#: Characters of lines judged together: the places farthest from the change follow the others.
MAX_JUDGED = 240
#: Groups looked at.
MAX_GROUPS = 4


def next_edits(job: NextEditJob) -> list[Proposal]:
    """Return what is likely enough to be wanted, the likeliest first.

    Of groups that put something at the same place the first one that is likely enough is taken,
    and the others are not looked at; where everything is wanted, all of them are.
    """
    started = time.monotonic()
    least, taken = job.request.least_confidence, list[Spot]()
    found = list[Proposal]()
    for index, group in enumerate(job.request.groups[:MAX_GROUPS]):
        if least and not are_apart([*taken, *map(_spot, group.places)]):
            continue
        proposal = _judged(job, index)
        if proposal is not None and proposal.confidence >= least:
            found.append(proposal)
            taken += map(_spot, proposal.places)
    job.seconds = time.monotonic() - started
    return sorted(found, key=lambda proposal: proposal.confidence, reverse=True)


def _spot(place: Place) -> Spot:
    return Spot(place.start, place.end, place.text)


def _judged(job: NextEditJob, index: int) -> Proposal | None:
    """Judge a group; None where it can't be one, or won't be likely enough whatever is found."""
    request, changes = job.request, job.changes
    group = request.groups[index]
    places = [_spot(place) for place in group.places]
    if not changes or not places or not are_apart([*changes, *places]):
        return None
    confidence = partial(confidence_of, request.changes, group)
    if confidence(MOST, MOST) < request.least_confidence:
        return None
    if group.is_loose or any(place.is_open for place in group.places):
        put, lines = doubted(job, group)
        return _proposal(job, index, lines, [_spot(place) for place in put], tuple(put))
    judged = nearest(request.text, changes, places, MAX_JUDGED)
    lines = digest_of(request.text, judged, changes)
    return _proposal(job, index, lines, judged, group.places)


def _proposal(
    job: NextEditJob, index: int, lines: Digest, judged: list[Spot], places: tuple[Place, ...]
) -> Proposal | None:
    """Judge some spots of a group with what was changed; None where that won't be enough."""
    if not judged:
        return None
    changes, least = job.changes, job.request.least_confidence
    confidence = partial(confidence_of, job.request.changes, job.request.groups[index])
    stands, put_right = likelihoods(job, lines, ([], judged))
    gain = put_right - stands
    if confidence(gain, MOST) < least:
        return None
    before, wrong = likelihoods(job, lines, (changes, [*changes, *judged]))
    due = gain - (wrong - before)
    sure = confidence(gain, due)
    return Proposal(places=places, group=index, confidence=sure, gain=gain, due=due)
