"""What is open at a place of a text: brackets, strings, comments, blocks between two words.

All of them lie on one stack, each with what closes it. A text is scanned from what is open at its
start: so what stands before a cursor, the fill, and what stands behind it can be read one after the
other, though none of them is whole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.text.spelling import Quote, Syntax

#: Where all is that was opened before a text.
ABOVE = -1
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_COMMAND_STARTS = (";", "&", "|", "(", "{", "!", "=", "then", "do", "else")
_LOOPS = ("while", "until", "for")
#: A closer closes past what is weaker than itself.
_BRACKET, _BRACE, _BLOCK, _TEXT = 1, 2, 3, 9


@dataclass(frozen=True)
class Opened:
    """Something open.

    Args:
        closes: the bracket or the word that closes it; of a string or a comment the pattern.
        at: where it was opened; `ABOVE` before the cursor's line.
        column: blanks that its line begins with.
        quote: None for brackets and blocks.
    """

    closes: str
    at: int
    column: int
    quote: Quote | None = None

    @property
    def strength(self) -> int:
        """What it takes to close past it."""
        if self.quote:
            return _TEXT
        return {")": _BRACKET, "]": _BRACKET, "}": _BRACE}.get(self.closes, _BLOCK)

    @property
    def is_line(self) -> bool:
        """Whether it is a comment up to the line's end."""
        return self.quote is not None and self.closes == r"(?=\n)"


@dataclass(frozen=True)
class Closed:
    """Something closed that was open before the text, or that nothing known has opened.

    Args:
        at: where what closes it begins.
        left: how many of those open before the text are left; -1 where it closes none of them.
        closes: see `Opened`.
        column: blanks before it, where it begins its line; None elsewhere.
    """

    at: int
    left: int
    closes: str
    column: int | None


@dataclass
class Scan:
    """A text that was scanned."""

    opened: list[Opened]
    closed: list[Closed] = field(default_factory=list)
    #: Where strings and comments begin, and where they end.
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    #: Strings that a line end has broken.
    broken: list[int] = field(default_factory=list)
    #: From where on how many are open that the text itself has opened.
    places: list[int] = field(default_factory=list)
    n_own: list[int] = field(default_factory=list)

    def is_text(self, at: int) -> bool:
        """Say whether a place stands inside of a string or a comment."""
        index = bisect_right(self.starts, at) - 1
        return index >= 0 and (index >= len(self.ends) or at < self.ends[index])

    def own_at(self, at: int) -> int:
        """Return how many are open there that the text itself has opened."""
        index = bisect_right(self.places, at) - 1
        return self.n_own[index] if index >= 0 else 0


def scan(
    text: str,
    syntax: Syntax,
    opened: Sequence[Opened] = (),
    lead: str = "",
    *,
    is_whole: bool = True,
) -> Scan:
    """Scan a text.

    Args:
        text: what to scan.
        syntax: its language's.
        opened: what is open at its start.
        lead: what stands before it on its first line.
        is_whole: whether it ends where it ends; if not, its last word may go on.
    """
    return _Scanner(text, syntax, list(opened), lead, is_whole=is_whole).scan()


class _Scanner:
    def __init__(
        self, text: str, syntax: Syntax, opened: list[Opened], lead: str, *, is_whole: bool
    ) -> None:
        self._text, self._syntax, self._lead, self._is_whole = text, syntax, lead, is_whole
        self._low = len(opened)
        self._found = Scan(opened)

    def scan(self) -> Scan:
        text, opened, found = self._text, self._found.opened, self._found
        at = 0
        if opened and opened[-1].quote:
            found.starts.append(0)
        while at <= len(text):
            if opened and opened[-1].quote:
                at = self._in_text(at, opened[-1], opened[-1].quote)
            else:
                at = self._in_code(at)
        return found

    def _in_text(self, at: int, top: Opened, quote: Quote) -> int:
        """Go on to the end of a string or comment, or to code in it; return where that is."""
        found = _inside(top.closes, quote.escapes, quote.hole, quote.spans_lines)
        for match in found.finditer(self._text, at):
            if match.lastgroup == "closes":
                self._pop(match.start(), len(self._found.opened) - 1)
                self._found.ends.append(match.end())
                return match.end()
            if match.lastgroup == "line":
                self._found.opened.pop()
                self._low = min(self._low, len(self._found.opened))
                self._found.broken.append(match.start())
                self._found.ends.append(match.start())
                return match.start()
            if match.lastgroup == "hole":
                self._found.ends.append(match.end())
                self._push(match.start(), quote.hole_closes)
                return match.end()
        return len(self._text) + 1

    def _in_code(self, at: int) -> int:
        """Go on to the next thing that matters; return where it ends."""
        match = self._syntax.pattern.search(self._text, at)
        if match is None:
            return len(self._text) + 1
        kind, spelled = match.lastgroup, match.group()
        if kind == "quote":
            return self._open_quote(match.start())
        if kind == "line":
            self._break()
        elif kind == "bracket":
            if spelled in _PAIRS:
                self._push(match.start(), _PAIRS[spelled])
            else:
                self._close(match.start(), spelled)
        elif kind == "fence":
            self._fence(match)
        elif kind == "word" and (self._is_whole or match.end() < len(self._text)):
            self._word(match.start(), spelled)
        return match.end() if match.end() > at or kind == "line" else at + 1

    def _open_quote(self, at: int) -> int:
        for opening, quote in self._syntax.all_quotes:
            if found := opening.match(self._text, at):
                name = re.escape((found.group(1) or "") if found.groups() else "")
                self._found.starts.append(at)
                self._push(at, quote.closes.replace("{0}", name), quote)
                return found.end()
        return at + 1

    def _word(self, at: int, word: str) -> None:
        before = self._before(at)
        start = before.rstrip()
        is_loop = word == "do" and start.lstrip().startswith(_LOOPS)
        is_command = not start or start.endswith(_COMMAND_STARTS)
        # `do |x|` stands at the end of its line.
        if not self._syntax.is_reserved and not is_command and (word != "do" or is_loop):
            return
        if is_loop and any(pair[0] in _LOOPS for pair in self._syntax.words):
            return
        for opens, closes in self._syntax.words:
            if word == opens:
                self._push(at, closes)
                return
        self._close(at, word)

    def _fence(self, match: re.Match[str]) -> None:
        if not self._is_whole and match.end() == len(self._text):
            return
        marks = match.group().strip()
        run = marks[: len(marks) - len(marks.lstrip(marks[0]))]
        open_fences = [one.closes for one in self._found.opened if one.closes[:1] in "`~"]
        if open_fences and run == marks and run.startswith(open_fences[-1]):
            self._close(match.start(), open_fences[-1])
        elif not open_fences:
            self._push(match.start(), run)

    def _push(self, at: int, closes: str, quote: Quote | None = None) -> None:
        line = self._before(at)
        column = len(line) - len(line.lstrip())
        self._found.opened.append(Opened(closes, at, column, quote))
        self._note(at)

    def _close(self, at: int, closes: str) -> None:
        opened = self._found.opened
        own = Opened(closes, at, 0).strength
        index = len(opened) - 1
        while index >= 0 and opened[index].closes != closes and opened[index].strength < own:
            index -= 1
        if index >= 0 and opened[index].closes == closes and not opened[index].quote:
            self._pop(at, index)
            if opened and opened[-1].quote:
                self._found.starts.append(at + 1)
        else:
            self._found.closed.append(Closed(at, -1, closes, self._column(at)))

    def _pop(self, at: int, index: int) -> None:
        closes = self._found.opened[index].closes
        del self._found.opened[index:]
        if index < self._low:
            self._found.closed.append(Closed(at, index, closes, self._column(at)))
            self._low = index
        self._note(at)

    def _break(self) -> None:
        """Close what a line end closes: strings of one line whose holes are still open."""
        opened = self._found.opened
        for index, one in enumerate(opened):
            if one.quote and not one.quote.spans_lines:
                del opened[index:]
                self._low = min(self._low, index)
                return

    def _note(self, at: int) -> None:
        self._found.places.append(at)
        self._found.n_own.append(len(self._found.opened) - self._low)

    def _before(self, at: int) -> str:
        """Return what stands before a place on its line."""
        start = self._text.rfind("\n", 0, at) + 1
        return self._text[start:at] if start else self._lead + self._text[:at]

    def _column(self, at: int) -> int | None:
        before = self._before(at)
        return None if before.strip() else len(before)


@lru_cache(maxsize=256)
def _inside(closes: str, escapes: str, hole: str, spans_lines: bool) -> re.Pattern[str]:  # noqa: FBT001
    parts = [f"(?P<escape>{escapes})", f"(?P<closes>{closes})"]
    if hole:
        parts.append(f"(?P<hole>{hole})")
    if not spans_lines:
        parts.append(r"(?P<line>\n)")
    return re.compile("|".join(parts), re.DOTALL | re.MULTILINE)
