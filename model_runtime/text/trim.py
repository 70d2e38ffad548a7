"""Where a fill meets the file: at its first line, and where it may go over into what follows."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters that a fill and what follows it must share for the fill to end there; how many such
#: places are looked at.
MIN_MEETING = 2
MAX_CUTS = 3


def cuts(text: str, suffix: str) -> list[str]:
    """Return beginnings of a fill that may go over into the file behind it, the surest first.

    A fill that runs on says somewhere what the file goes on with, or at least the beginning of it.
    """
    ahead = suffix or "\n"
    found = [(n_shared(text[at:], ahead), at) for at in range(1, len(text))]
    meetings = [(n, at) for n, at in found if n >= MIN_MEETING or text[at] == ahead[0] == "\n"]
    return [text[:at] for _, at in sorted(meetings, reverse=True)[:MAX_CUTS]]


def at_indentation(text: str, prefix: str) -> str:
    """Return a line that replaces another behind the file's indentation, without one of its own.

    Args:
        text: the fill; one of several lines stays as it is.
        prefix: the file up to it.
    """
    indentation = prefix.rpartition("\n")[2]
    if not indentation or indentation.strip() or "\n" in text:
        return text
    return text.lstrip()


def n_shared(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how much two texts, of characters or of tokens, have in common at their start."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
