"""Where a fill stops: it does not say again what stands behind it."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters that a fill and what follows it must share for the fill to end there; how many such
#: places are looked at.
MIN_MEETING = 2
MAX_CUTS = 3
#: Letters and digits that a repeated tail must have: `)` or `}` may well be meant twice.
MIN_TAIL = 4


def without_repeated_suffix(text: str, suffix: str) -> str:
    """Return a fill without its tail where the file goes on with that very text.

    Blanks between the two do not count. A fill that is nothing but what follows stays.

    Args:
        text: the fill.
        suffix: the file behind it.
    """
    ahead, said = suffix.lstrip(), text.rstrip()
    # The rest of the cursor's own line is hardly meant twice, be it short.
    rest = suffix.partition("\n")[0].strip()
    rest = rest if any(map(str.isalnum, rest)) else ""
    for at in range(1, len(said)):
        tail = said[at:]
        if tail[0].isspace() or not ahead.startswith(tail):
            continue
        is_rest = bool(rest) and tail.startswith(rest)
        is_short = sum(map(str.isalnum, tail)) < MIN_TAIL and not is_rest
        if is_short or not said[:at].strip():
            return text
        if tail[0].isalnum() and said[at - 1].isalnum():
            # From the middle of a word on: a longer name, no repetition.
            continue
        return _without_blanks(text[:at], suffix[: len(suffix) - len(ahead)])
    return text


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


def _without_blanks(text: str, blanks: str) -> str:
    """Leave out what of `blanks` stands at the end of a text already."""
    return text[: len(text) - n_shared(text[::-1], blanks[::-1])]


def n_shared(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how much two texts, of characters or of tokens, have in common at their start."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
