"""Where a fill ends before the model says so: stop strings, and lines that leave the block.

Text arrives in growing pieces. What is shown must never be taken back, so the tail that may yet
turn out to be the beginning of an end is held back until more is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A line end, blank lines and the indentation of the next line that has text.
_LEADING = re.compile(r"\A(?:[^\S\n]*\n)+")
_LINE_START = re.compile(r"\n[^\S\n]*(?=\S|\Z)")


@dataclass(frozen=True)
class Seen:
    """What of a text may be shown."""

    text: str
    #: Whether an end was found, so that whatever follows does not matter.
    is_cut: bool = False
    #: The stop string that was met; empty where a line's indentation ended the text.
    stop: str = ""


@dataclass(frozen=True)
class Cut:
    """The rules of one request."""

    #: The text ends before the first of these.
    stops: tuple[str, ...] = ()
    #: Characters of white space that every line but the first has to start with; 0 for no rule.
    n_indent: int = 0

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.stops or self.n_indent)

    def see(self, text: str, *, is_whole: bool) -> Seen:
        """Return what of `text` may be shown.

        Args:
            text: all there is so far, from the start.
            is_whole: whether no more will come, so that nothing needs to be held back.
        """
        if "\n" in self.stops:
            # One line is wanted: line ends before it are passed over.
            text = _LEADING.sub("", text)
        # Where ends overlap, the one that is complete first counts: later text can't change that.
        ends = [(at + len(stop), at, stop) for stop in self.stops if (at := text.find(stop)) >= 0]
        if (found := self._shallow_line(text)) is not None:
            ends.append((found.end() + 1, found.start(), ""))
        if ends:
            _, at, stop = min(ends)
            return Seen(text[:at], is_cut=True, stop=stop)
        return Seen(text if is_whole else text[: len(text) - self._n_doubtful(text)])

    def _shallow_line(self, text: str) -> re.Match[str] | None:
        """Return the first line end behind which a line is too far to the left."""
        if not self.n_indent:
            return None
        for found in _LINE_START.finditer(text):
            is_known = found.end() < len(text)
            if is_known and found.end() - found.start() - 1 < self.n_indent:
                return found
        return None

    def _n_doubtful(self, text: str) -> int:
        """Return the length of the longest tail that may be the beginning of an end."""
        longest = 0
        for stop in self.stops:
            for n in range(min(len(stop) - 1, len(text)), longest, -1):
                if text.endswith(stop[:n]):
                    longest = n
                    break
        if self.n_indent:
            longest = max(longest, len(text) - len(text.rstrip()))
        return longest
