"""Places that became doubtful by a change, and what may stand there now.

The base reads the lines of the change, and behind them those of the places, as they are and as they
were before the change. What it found likely behind the old lines and does not behind the new ones
became doubtful. Where nobody knows what else may stand there, the place is masked and denoised,
from left to right through the places: what one was made the next one sees. The canvas drafts and
the base decides (`samplers.hybrid`), until the text behind the place is met.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.models.base import CausalDenoiser
from model_runtime.modes.digest import Spot, digest_of
from model_runtime.modes.judging import context_of, read, token_likelihoods
from model_runtime.protocol import Place
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.modes.digest import Digest
    from model_runtime.modes.judging import NextEditJob
    from model_runtime.protocol import Group

#: Nats by which the change has to make a place less likely.
RISE = 0.5
#: Places of a group that are looked at, and characters of lines for them.
MAX_PLACES = 6
MAX_CHARACTERS = 400
#: Tokens that are put at one place; lines before it that are read, too.
N_OPEN = 16
N_LINES = 2
#: What the text behind a place begins with: there the text that is put there ends.
_NEXT = re.compile(r"[ \t]*(\w+|[^\w\s]|\n|\Z)")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def doubted(job: NextEditJob, group: Group, least_rise: float = RISE) -> tuple[list[Place], Digest]:
    """Return those places of a group that are to be judged, their texts whole, and their lines.

    Args:
        job: on its way.
        group: its places are apart from each other and from the changes.
        least_rise: nats, of a loose group's places.
    """
    text, changes = job.request.text, job.changes
    places, lines = _looked_at(text, changes, group.places)
    if group.is_loose:
        places = _doubtful(job, lines, places, least_rise)
    known = list[Spot]()
    found = list[Place]()
    for place in places:
        whole: str | None = place.text
        if place.is_open:
            whole = _denoised(job, lines, known, place)
        if whole is None or whole == text[place.start : place.end]:
            continue
        known.append(Spot(place.start, place.end, whole))
        found.append(Place(start=place.start, end=place.end, text=whole))
    found.sort(key=lambda place: place.start)
    return found, lines


def _looked_at(
    text: str, changes: Sequence[Spot], places: Sequence[Place]
) -> tuple[list[Place], Digest]:
    """Return the places nearest to the change, in the order in which they are read; the lines."""
    first, last = changes[0].start, changes[-1].end
    nearest = sorted(places, key=lambda place: max(first - place.end, place.start - last))
    chosen, spots = list[Place](), list[Spot]()
    for place in nearest[:MAX_PLACES]:
        more = [*spots, *_around(text, place)]
        if chosen and len(digest_of(text, more, changes)) > MAX_CHARACTERS:
            break
        chosen.append(place)
        spots = more
    lines = digest_of(text, spots, changes)

    def order(place: Place) -> tuple[int, int]:
        at = next(i for i, (a, b) in enumerate(lines.stretches) if a <= place.start <= b)
        return at, place.start

    return sorted(chosen, key=order), lines


def _around(text: str, place: Place) -> list[Spot]:
    """Return a place as a spot; with lines before it, where these say what is put there."""
    spots = [Spot(place.start, place.end, place.text)]
    at = place.start
    for _ in range(N_LINES if place.is_open else 0):
        at = text.rfind("\n", 0, at)
        if at > 0:
            spots.append(Spot(at, at, ""))
    return spots


def _doubtful(
    job: NextEditJob, lines: Digest, places: Sequence[Place], least_rise: float
) -> list[Place]:
    """Return the places that the change has made less likely."""
    changes = job.changes
    (ids_now, now), (ids_before, before) = token_likelihoods(job, lines, ([], changes))
    encode = job.model.layout.template.tokenizer.encode

    def of(place: Place, spots: Sequence[Spot], token_ids: list[int], own: list[float]) -> float:
        whole = encode(lines.written(spots))
        n_alike = len(whole) - len(token_ids)
        first, last = (
            n_shared(encode(lines.written(spots, at)), whole) for at in (place.start, place.end)
        )
        # The token behind the place says whether it ends there.
        return sum(own[max(0, first - n_alike) : max(0, last + 1 - n_alike)])

    return [
        place
        for place in places
        if of(place, changes, ids_before, before) - of(place, [], ids_now, now) >= least_rise
    ]


def _denoised(job: NextEditJob, lines: Digest, known: Sequence[Spot], place: Place) -> str | None:
    """Return what the model puts at an open place; None where it doesn't get back to the file."""
    if not isinstance(job.model.denoiser, CausalDenoiser):
        # Another family says the whole span at once, however long the text is.
        return None
    tokenizer = job.model.layout.template.tokenizer
    shown = lines.written(known, place.start) + place.text
    # A blank or a bracket belongs to the token behind it, and is said once more.
    half = "" if shown[-1:].isalnum() else shown[-1:].strip("\n")
    context = context_of(job, lines) + tokenizer.encode(shown.removesuffix(half))
    read(job, context)
    token_ids = torch.tensor([*context, *[job.model.denoiser.mask_id] * N_OPEN])
    given = torch.arange(len(token_ids)) < len(context)
    canvas = Canvas(token_ids, given, job.model.denoiser.mask_id)
    behind = place.behind + job.request.text[place.end :].partition("\n")[0] + "\n"

    def said() -> str:
        settled = canvas.committed[len(context) :].int().cumprod(0).sum()
        return tokenizer.decode_whole(canvas.token_ids[len(context) :][:settled].tolist())

    def is_closed() -> bool:
        text = said()
        return bool(text) and (
            not text.startswith(half) or met(text[len(half) :], behind) is not None
        )

    n_before = job.cache.n_forwards
    denoise(
        job.model.denoiser,
        Hybrid(HybridParams()),
        job.cache,
        canvas,
        Budget(),
        torch.Generator(),
        check=job.cancel.check,
        on_step=lambda _: None,
        is_closed=is_closed,
    )
    job.n_forwards += job.cache.n_forwards - n_before
    text = said()
    end = met(text[len(half) :], behind) if text.startswith(half) else None
    if not end:
        return None
    text = text[len(half) :]
    job.n_tokens += len(tokenizer.encode(text[:end]))
    return place.text + text[:end] + place.behind


def met(text: str, behind: str) -> int | None:
    """Return where a text gets to what stands behind it; None where it does not, or never will.

    Strings and brackets that it opens it has to close before, and it stays on its line.

    Args:
        text: as far as it goes.
        behind: the rest of the line, its end included.
    """
    found = _NEXT.match(behind)
    target = found.group() if found else "\n"
    opened, quote = list[str](), ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
            continue
        if not opened and text.startswith(target, at) and _is_whole(text, at, target):
            return at
        if letter in _PAIRS.values():
            opened.append(letter)
        elif letter in _PAIRS and (not opened or opened.pop() != _PAIRS[letter]):
            return 0
        elif letter in "\"'`":
            quote = letter
        elif letter == "\n":
            return 0
    return None


def _is_whole(text: str, at: int, target: str) -> bool:
    """Say whether a word begins and ends where it was found, as far as is known by now."""
    end = at + len(target)
    starts = not (target[:1].isalnum() and text[at - 1 : at].isalnum())
    return starts and not (
        target[-1:].isalnum() and (end == len(text) or text[end : end + 1].isalnum())
    )
