"""Tasks out of two releases of a package: what its makers changed besides.

Every single change between two releases of a file may have been the first one; the file with it
alone is what the user made, and the other changes are what may be wanted: those that are the same
replacement somewhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.next_edit.asking import build_request
from lsp_server.next_edit.changes import meant
from model_runtime.protocol.eval_tasks import NextEditTask

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from model_runtime.protocol import Place

#: More single changes, and it is another file; a longer one is left out.
_MAX_STEPS = 400
_MAX_CHARACTERS = 100_000


@dataclass(frozen=True)
class _Step:
    """A stretch of a file's old release, and what the new one has there."""

    start: int
    end: int
    text: str
    #: Whether its lines hold no other change: a word of a line that was written anew as a whole is
    #: no edit that anybody made.
    is_alone: bool


def real(
    before: dict[str, Any], after: dict[str, Any], rng: random.Random
) -> Iterator[NextEditTask]:
    """Take single changes between two releases of a file as the edit; the others are wanted."""
    old = before["text"]
    steps = _steps(old, after["text"])
    if not 1 <= len(steps) <= _MAX_STEPS or len(old) > _MAX_CHARACTERS:
        return
    seen = set[tuple[str, str]]()
    for step in rng.sample(steps, len(steps)):
        if not step.is_alone:
            continue
        changes = meant(old, old[: step.start] + step.text + old[step.end :])
        if len(changes) != 1 or (changes[0].old, changes[0].new) in seen:
            continue
        (change,) = changes
        seen.add((change.old, change.new))
        text = old[: step.start] + step.text + old[step.end :]
        document = f"{after['package']}/{after['path']}/{step.start}"
        request = build_request(
            after["language"], text, changes, path=after["path"], document=document
        )
        if request is None:
            continue
        shift = len(step.text) - (step.end - step.start)
        places = [place for group in request.groups for place in group.places]
        wanted = []
        for place in places:
            moved = shift if place.start >= step.start else 0
            start, end = place.start - moved, place.end - moved
            becomes = _becomes(old, start, end, [one for one in steps if one is not step])
            if becomes is not None and _fits(place, becomes):
                wanted.append((place.start, place.end, becomes))
        wanted = sorted(set(wanted))
        yield NextEditTask(
            id=f"real/{document}",
            kind="real" if wanted else "real alone",
            source=f"{after['package']} {before['version']} to {after['version']}"
            f" ({after['licence']})",
            request=msgspec.structs.replace(request, id=""),
            wanted=tuple(wanted),
        )


def _steps(old: str, new: str) -> list[_Step]:
    """Return the single changes that make a new release of an old one, word by word."""
    lines, others = old.splitlines(keepends=True), new.splitlines(keepends=True)
    steps, starts = [], [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    matcher = SequenceMatcher(None, lines, others, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        was = re.findall(r"\w+|\W", "".join(lines[i1:i2]))
        becomes = re.findall(r"\w+|\W", "".join(others[j1:j2]))
        offsets = [starts[i1]]
        for word in was:
            offsets.append(offsets[-1] + len(word))
        words = SequenceMatcher(None, was, becomes, autojunk=False)
        codes = [one for one in words.get_opcodes() if one[0] != "equal"]
        is_alone = len(codes) == 1 or tag != "replace"
        steps += [
            _Step(
                offsets[a],
                offsets[b],
                "".join(becomes[c:d]),
                is_alone or _is_alone((a, b, c, d), was, becomes),
            )
            for _, a, b, c, d in codes
        ]
    return steps


def _is_alone(step: tuple[int, int, int, int], was: list[str], becomes: list[str]) -> bool:
    """Say whether the lines around a replacement of words are the same on both sides but for it."""
    a, b, c, d = step

    def around(words: list[str], start: int, end: int) -> tuple[str, str]:
        before, behind = "".join(words[:start]), "".join(words[end:])
        return before.rpartition("\n")[2], behind.partition("\n")[0]

    return around(was, a, b) == around(becomes, c, d)


def _fits(place: Place, text: str) -> bool:
    """Say whether a text is what is put at a place, or may be what the model puts there."""
    if not place.is_open:
        return text == place.text
    return text != place.text and text.startswith(place.text) and text.endswith(place.behind)


def _becomes(old: str, start: int, end: int, steps: list[_Step]) -> str | None:
    """Return what the steps make of a stretch of the old release; None where none is in it."""
    inside = [step for step in steps if start <= step.start and step.end <= end]
    text = old[start:end]
    for step in reversed(inside):
        text = text[: step.start - start] + step.text + text[step.end - start :]
    return text if inside else None
