"""What of a file is read to judge a change: the lines that hold its places, and no others.

A change and what it asks for may stand far apart, and a forward over all that lies between would
take seconds. So only the lines with a place in them are laid out, in the order of the file; what
stands before the first of them is the context.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Characters of a line that are shown behind its last place, and in front of its first.
N_BEHIND = 32
N_BEFORE = 80
#: Characters between two places that are shown, too, rather than left out.
MAX_GAP = 40


@dataclass(frozen=True)
class Spot:
    """A stretch of the file as it stands, and what else may stand there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Digest:
    """Stretches of a file, apart from each other; in the order in which they are read."""

    text: str
    stretches: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """Return the number of characters."""
        return sum(end - start for start, end in self.stretches)

    @property
    def before(self) -> str:
        """The file before the stretch that is read first, from behind those that are read later."""
        start = self.stretches[0][0]
        return self.text[max((end for _, end in self.stretches if end <= start), default=0) : start]

    def written(self, spots: Iterable[Spot], up_to: int | None = None) -> str:
        """Return the stretches, a line or more each, with some spots' other texts in them.

        Args:
            spots: apart from each other.
            up_to: an offset of the file that is in one of the stretches: no more than what is read
                before it; None for all.
        """
        ordered = sorted(spots, key=lambda spot: spot.start)
        pieces: list[str] = []
        for start, end in self.stretches:
            is_last = up_to is not None and start <= up_to <= end
            stop = up_to if is_last and up_to is not None else end
            at = start
            for spot in ordered:
                if start <= spot.start and spot.end <= stop:
                    pieces += [self.text[at : spot.start], spot.text]
                    at = spot.end
            pieces.append(self.text[at:stop])
            if is_last:
                break
            if not self.text[start:end].endswith("\n"):
                pieces.append("\n")
        return "".join(pieces)


def digest_of(text: str, spots: Sequence[Spot], first: Sequence[Spot] = ()) -> Digest:
    """Return the lines that hold some spots.

    Args:
        text: the file.
        spots: at least one.
        first: spots whose lines are read before the others; those are read in the file's order.
    """
    lines = sorted(_lines(text, spot) for spot in [*spots, *first])
    merged = [lines[0]]
    for start, end in lines[1:]:
        if start - merged[-1][1] <= MAX_GAP:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    merged.sort(key=lambda line: not any(line[0] <= spot.start <= line[1] for spot in first))
    return Digest(text, tuple(merged))


def nearest(
    text: str, changes: Sequence[Spot], spots: Sequence[Spot], max_characters: int
) -> list[Spot]:
    """Return spots so near to what was changed that the lines of all have so many characters.

    Never none: the nearest one is always among them. They are in the order of the file.
    """
    first, last = changes[0].start, changes[-1].end
    by_distance = sorted(spots, key=lambda spot: max(first - spot.end, spot.start - last))
    chosen = by_distance[:1]
    for spot in by_distance[1:]:
        if len(digest_of(text, [*changes, *chosen, spot])) > max_characters:
            break
        chosen.append(spot)
    return sorted(chosen, key=lambda spot: spot.start)


def are_apart(spots: Iterable[Spot]) -> bool:
    """Return whether no two spots overlap, or put something in at the same place."""
    ordered = sorted((spot.start, spot.end) for spot in spots)
    return all(first[1] <= second[0] and first != second for first, second in pairwise(ordered))


def _lines(text: str, spot: Spot) -> tuple[int, int]:
    """Return where the lines that hold a spot begin and end; long ones are cut at a blank."""
    start = text.rfind("\n", 0, spot.start) + 1
    end = text.find("\n", spot.end)
    end = len(text) if end < 0 else end + 1
    if spot.start - start > 2 * N_BEFORE:
        start = max(start, text.rfind(" ", start, spot.start - N_BEFORE) + 1)
    if end - spot.end > 2 * N_BEHIND:
        blank = text.find(" ", spot.end + N_BEHIND, end)
        end = blank if blank >= 0 else end
    return start, end
