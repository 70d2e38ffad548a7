"""What the user meant: one text became another, and in between lie the keys, pastes and undos.

A change is the smallest stretch in which two texts differ, widened to whole words; where the user
worked at several places at once, it is the same replacement at each. What came of how many
keystrokes doesn't show in it, and what was taken back is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from lsp_server.documents import Span

_WORD = re.compile(r"\w")
#: More characters than this, changed at once, are a paste or another file's content: too much to
#: ask what follows of it.
MAX_CHANGED = 2000


@dataclass(frozen=True)
class Change:
    """A stretch of a text as it stands, and what stood there before."""

    start: int
    old: str
    new: str

    @property
    def end(self) -> int:
        """Where the new text ends."""
        return self.start + len(self.new)

    @property
    def span(self) -> Span:
        """Where the new text stands."""
        return Span(self.start, self.end)


def common_head(one: str, other: str) -> int:
    """Return how many characters two texts begin alike with; quick where that is a megabyte."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def common_tail(one: str, other: str, head: int) -> int:
    """Return how many characters two texts end alike with, behind a common head."""
    low, high = 0, min(len(one), len(other)) - head
    if high == 0 or one[-high:] == other[-high:]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle
    return low


def hull(before: str, after: str) -> Change | None:
    """Return the smallest stretch in which two texts differ; None where they don't."""
    if before == after:
        return None
    head = common_head(before, after)
    tail = common_tail(before, after, head)
    return Change(head, before[head : len(before) - tail], after[head : len(after) - tail])


def meant(before: str, after: str) -> list[Change]:
    """Return what was changed between two texts, in order, each a whole word or more.

    Returns:
        one change, or several that are the same replacement; none where the texts are equal, and
        where different things were changed at several places, as a formatter does.
    """
    change = hull(before, after)
    if change is None or max(len(change.old), len(change.new)) > MAX_CHANGED:
        return []
    parts = _parts(change)
    widened = [_widened(part, after) for part in parts]
    if len(widened) > 1 and len({(part.old, part.new) for part in widened}) > 1:
        # Different things: one change, unless it was many.
        return [_widened(change, after)] if change.new.count("\n") <= _MAX_LINES else []
    return widened


#: Lines of one change in which different things changed.
_MAX_LINES = 3


def _parts(change: Change) -> list[Change]:
    """Return a change's own differences, word by word."""
    old, new = _words(change.old), _words(change.new)
    parts, at = [], change.start
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        text = "".join(new[j1:j2])
        if tag != "equal":
            parts.append(Change(at, "".join(old[i1:i2]), text))
        at += len(text)
    return parts


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\W", text)


def _widened(change: Change, after: str) -> Change:
    """Widen a change to whole words, where it begins or ends inside of one."""
    start, end = change.start, change.end
    touches = change.old + change.new
    if touches and (_WORD.match(touches[0]) or _starts_word(change)):
        while start and _WORD.match(after[start - 1]):
            start -= 1
    if touches and _ends_word(change):
        while end < len(after) and _WORD.match(after[end]):
            end += 1
    head, tail = after[start : change.start], after[change.end : end]
    return Change(start, head + change.old + tail, head + change.new + tail)


def _starts_word(change: Change) -> bool:
    return any(text and _WORD.match(text[0]) for text in (change.old, change.new))


def _ends_word(change: Change) -> bool:
    return any(text and _WORD.match(text[-1]) for text in (change.old, change.new))
