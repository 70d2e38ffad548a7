"""Where a fill ends before the model says so: stop strings, and lines that leave the block.

Text arrives in growing pieces. What is shown must never be taken back, so the tail that may yet
turn out to be the beginning of an end is held back until more is known; so is half a character, and
what may be said twice: the runtime leaves out at the end what the file goes on with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model_runtime.http.forms import UNREADABLE, plain

#: A line end, blank lines and the indentation of the next line that has text.
_LINE_START = re.compile(r"\n[^\S\n]*(?=\S|\Z)")
#: Characters of what follows that a text is held against.
N_FOLLOWING = 200


@dataclass(frozen=True)
class Seen:
    """What of a text may be shown."""

    text: str
    #: Whether an end was found, so that whatever follows does not matter.
    is_cut: bool = False
    #: The stop string that was met; empty where a line's indentation ended the text.
    stop: str = ""
    #: Characters before it, with plain line ends, that were passed over.
    n_passed: int = 0


@dataclass(frozen=True)
class Cut:
    """The rules of one request."""

    #: The text ends before the first of these.
    stops: tuple[str, ...] = ()
    #: Characters of white space that every line but the first has to start with; 0 for no rule.
    n_indent: int = 0
    #: The file behind the text.
    following: str = ""

    def __bool__(self) -> bool:
        """Whether there is anything that ends a text."""
        return bool(self.stops or self.n_indent)

    def see(self, text: str, *, is_whole: bool) -> Seen:
        """Return what of `text` may be shown, with plain line ends.

        Args:
            text: all there is so far, from the start.
            is_whole: whether no more will come, so that nothing needs to be held back.
        """
        text = plain(text)
        if not is_whole and self._line_ends and not text.strip():
            return Seen("")  # it may yet turn out to stand before the first line
        n_passed = self._n_passed(text)
        text = text[n_passed:]
        # Where ends overlap, the one that is complete first counts: later text can't change that.
        ends = [(at + len(stop), at, stop) for stop in self.stops if (at := text.find(stop)) >= 0]
        if (found := self._shallow_line(text)) is not None:
            ends.append((found.end() + 1, found.start(), ""))
        if ends:
            _, at, stop = min(ends)
            return Seen(text[:at].rstrip(UNREADABLE), is_cut=True, stop=stop, n_passed=n_passed)
        # A last character that is only half there is none.
        n_half = len(text) - len(text.rstrip(UNREADABLE))
        n_doubtful = n_half if is_whole else self._n_doubtful(text)
        return Seen(text[: len(text) - n_doubtful], n_passed=n_passed)

    def _n_passed(self, text: str) -> int:
        """Return the length of the line ends before the first line, where these would end it."""
        blank = text[: len(text) - len(text.lstrip())]
        if len(blank) == len(text) or not any(stop in blank for stop in self._line_ends):
            return 0
        return blank.rindex("\n") + 1

    @property
    def _line_ends(self) -> tuple[str, ...]:
        """The stop strings that are line ends and nothing else."""
        return tuple(stop for stop in self.stops if not stop.strip("\n"))

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
        longest = len(text) - len(text.rstrip(UNREADABLE + "\r"))
        for stop in self.stops:
            longest = max(longest, _n_begun(stop, text))
        if self.n_indent:
            longest = max(longest, len(text) - len(text.rstrip()))
        following = self.following[:N_FOLLOWING]
        for way_on in (following, following.lstrip()):
            longest = max(longest, _n_begun(f"{way_on}\0", text))
        return longest


def _n_begun(stop: str, text: str) -> int:
    """Return the length of the longest tail of a text that a longer string begins with."""
    at = max(0, len(text) - len(stop) + 1)
    while (at := text.find(stop[0], at)) >= 0:
        if stop.startswith(text[at:]):
            return len(text) - at
        at += 1
    return 0
