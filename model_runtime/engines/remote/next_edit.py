"""Next edits by an engine that edits: it is told the last change as a diff, and read for places."""

from __future__ import annotations

import difflib
import re
from itertools import accumulate
from typing import TYPE_CHECKING

from model_runtime.protocol import Place, Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.protocol import NextEditRequest

#: Lines around the change that may be edited.
N_LINES = 40
#: An engine that can't tell how sure it is: shown where the user wants balance, not quiet.
CONFIDENCE = 0.6


def region_of(request: NextEditRequest) -> tuple[int, int]:
    """Return where the lines around what was changed begin and end."""
    first, last = request.changes[0], request.changes[-1]
    starts = [0, *(found.end() for found in re.finditer("\n", request.text))]
    here = [i for i, start in enumerate(starts) if start <= first.start][-1]
    there = [i for i, start in enumerate(starts) if start <= last.start + len(last.new)][-1]
    begin, end = max(0, here - N_LINES), there + N_LINES + 1
    return starts[begin], starts[end] if end < len(starts) else len(request.text)


def diff_of(request: NextEditRequest) -> str:
    """Return what was just changed, as a unified diff."""
    before = request.text
    for change in reversed(request.changes):
        end = change.start + len(change.new)
        before = before[: change.start] + change.old + before[end:]
    old, new = (text.splitlines(keepends=True) for text in (before, request.text))
    path = request.path or "file"
    return "".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=1))


def read_places(request: NextEditRequest, start: int, end: int, edited: str) -> list[Proposal]:
    """Return what an edited region changes, as one proposal; none where it changes nothing.

    What it would change of the user's own edit is left out.
    """
    region = request.text[start:end]
    if region.endswith("\n") and not edited.endswith("\n"):
        # A last line end is easily lost on the way.
        edited += "\n"
    mine = [(change.start, change.start + len(change.new)) for change in request.changes]
    places = tuple(
        place
        for place in _differences(region, edited, start)
        if not any(place.start <= last and first <= place.end for first, last in mine)
    )
    if not places:
        return []
    return [Proposal(places=places, confidence=CONFIDENCE, gain=0.0, due=0.0)]


def _differences(old: str, new: str, offset: int) -> Iterator[Place]:
    words, others = (re.findall(r"\w+|\s+|\W", text) for text in (old, new))
    starts = list(accumulate(map(len, words), initial=offset))
    matcher = difflib.SequenceMatcher(None, words, others, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield Place(start=starts[i1], end=starts[i2], text="".join(others[j1:j2]))
