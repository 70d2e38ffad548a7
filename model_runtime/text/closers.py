"""Who closes what is open at a cursor: the file behind it, or the fill.

Editors close brackets and quotes as soon as they are opened, and models like to close them again:
they look at what follows only as far as they have learned to. So what is open before the cursor is
matched with what closes it behind, and a fill ends before it closes one of those. What nothing
behind closes is the fill's to close.

A file's two parts do not say by themselves which closer belongs to which opener where one is
missing, as it is while somebody types. Of the ways to match them that one is taken in which strings
end on their line, closers stand at the column of their openers, and nothing of the cursor's own
line stays open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from model_runtime.text.scan import ABOVE, Closed, Opened, Scan, scan

if TYPE_CHECKING:
    from model_runtime.text.spelling import Syntax

#: Characters looked at before a cursor, read in pieces of so many, and behind it.
N_BEFORE = 1_000_000
N_PIECE = 4_000
N_BEHIND = 4_000
#: How many of the innermost may be the fill's to close, and closers by which that is judged.
N_OWN = 4
N_JUDGED = 12
#: What speaks against a way to match: a string that ends nowhere, a closer without its opener, one
#: that stands at another column, and one of the cursor's line that is left open.
BROKEN, LOOSE, ELSEWHERE, LEFT_OPEN = 10, 5, 3, 2


@dataclass(frozen=True)
class Closers:
    """What is open at a place and closed behind it.

    Args:
        syntax: the language's.
        lead: what stands before the place on its line.
        opened: what is open there.
        taken: which of these the file closes.
        loose: what it closes behind that nothing known has opened; empty for nothing.
    """

    syntax: Syntax
    lead: str
    opened: tuple[Opened, ...]
    taken: frozenset[int]
    loose: str

    def scan(self, text: str, *, is_whole: bool) -> Scan:
        """Scan a fill; see `scan`."""
        return scan(text, self.syntax, self.opened, self.lead, is_whole=is_whole)

    def first_taken(self, scanned: Scan) -> int | None:
        """Return where a fill first closes what the file closes; None where it does not."""
        return next((one.at for one in scanned.closed if self._is_taken(one)), None)

    def fits(self, scanned: Scan) -> bool:
        """Say whether the file behind a fill closes what is open at the fill's end.

        So it is where the fill opens anew what it has closed, as in `} else {`.
        """
        closes = [one.closes for one in scanned.opened]
        wanted = [one.closes for index, one in enumerate(self.opened) if index in self.taken]
        is_loose = any(one.left < 0 and one.closes == self.loose for one in scanned.closed)
        kept = closes[len(closes) - len(wanted) :] if wanted else []
        return kept == wanted and len(closes) >= len(wanted) and not is_loose

    @property
    def is_in_comment(self) -> bool:
        """Whether the place stands in a comment that ends with its line."""
        return bool(self.opened) and self.opened[-1].is_line

    @property
    def is_in_block_comment(self) -> bool:
        """Whether it stands in a comment that is closed by something."""
        top = self.opened[-1].quote if self.opened else None
        return top is not None and top.is_comment and not self.is_in_comment

    def _is_taken(self, closed: Closed) -> bool:
        if closed.left < 0:
            return bool(self.loose) and closed.closes == self.loose
        return closed.left in self.taken


@lru_cache(maxsize=16)
def closers_at(prefix: str, suffix: str, syntax: Syntax) -> Closers:
    """Return what is open between two parts of a file, and what of it is closed behind."""
    line_start = prefix.rfind("\n") + 1
    here = prefix[line_start:]
    opened = scan(here, syntax, _opened_above(prefix[:line_start], syntax)).opened
    behind = suffix
    if len(suffix) > N_BEHIND:
        behind = suffix[:N_BEHIND].rpartition("\n")[0]
    taken, loose = _likeliest(tuple(opened), behind, syntax)
    return Closers(syntax, here, tuple(opened), taken, loose)


def _opened_above(text: str, syntax: Syntax) -> tuple[Opened, ...]:
    """Return what is open at the end of some lines.

    The pieces that a text is read in are the same while somebody types below.
    """
    at = max(0, len(text) - N_BEFORE)
    at -= at % N_PIECE
    at = text.find("\n", at) + 1 if at else 0
    opened: tuple[Opened, ...] = ()
    while at < len(text):
        end = text.find("\n", at - at % N_PIECE + N_PIECE) + 1 or len(text)
        opened, at = _opened_behind(text[at:end], syntax, opened), end
    return opened


@lru_cache(maxsize=1024)
def _opened_behind(lines: str, syntax: Syntax, opened: tuple[Opened, ...]) -> tuple[Opened, ...]:
    """Return what is open behind some lines, none of it at a place of the cursor's line."""
    return tuple(replace(one, at=ABOVE) for one in scan(lines, syntax, opened).opened)


@lru_cache(maxsize=16)
def _likeliest(
    opened: tuple[Opened, ...], behind: str, syntax: Syntax
) -> tuple[frozenset[int], str]:
    """Return what is closed in the likeliest way to match, and what else is closed."""
    ways = []
    for n_own in range(min(N_OWN, len(opened)) + 1):
        ways.append(_match(opened[: len(opened) - n_own], behind, syntax))
        if ways[-1][0] == 0:
            break
    _, taken, loose = min(ways, key=lambda way: way[0])
    return taken, loose


def _match(
    opened: tuple[Opened, ...], behind: str, syntax: Syntax
) -> tuple[int, frozenset[int], str]:
    """Return what speaks against a way to match, what is closed in it, and what else is."""
    found = scan(behind, syntax, opened, "x")
    line_end = behind.find("\n") if "\n" in behind else len(behind)
    against = BROKEN * sum(1 for at in found.broken if at <= line_end)
    if found.opened and found.opened[-1].quote and found.opened[-1].quote.spans_lines:
        against += BROKEN * (not found.opened[-1].is_line)
    taken, n_left, loose = set[int](), len(opened), ""
    for closed in found.closed[:N_JUDGED]:
        if closed.left < 0:
            loose = loose or ("" if n_left else closed.closes)
            against += LOOSE if n_left else 0
            continue
        one = opened[closed.left]
        taken.add(closed.left)
        against += LOOSE * (n_left - closed.left - 1)
        n_left = closed.left
        if closed.column is not None and closed.column != one.column and not one.quote:
            against += ELSEWHERE
    here = [index for index, one in enumerate(opened) if one.at != ABOVE and not one.is_line]
    against += LEFT_OPEN * len(set(here) - taken)
    return against, frozenset(taken), loose
