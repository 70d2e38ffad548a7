"""Text that says the same over and over, and would go on to.

A model that has said a line twice finds it likely to come a third time, and a fourth. Twice may be
meant; the third time ends the fill, be it a line, a block of lines or a piece of one line. Lines
count as the same where only their numbers differ: `print(data[0])`, `print(data[1])`, and so on.
In a file that has as many of them in a row itself, as many may be said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

#: Lines of the longest block that is looked for, and lines of the file around that are looked at.
MAX_BLOCK = 8
N_AROUND = 200
#: How often the same may be said.
N_TWICE = 2
#: Characters of the longest piece within a line, how often one with a letter may stand there, how
#: many characters they have then at least, and how many others may have.
MAX_PIECE = 24
N_PIECES = 6
MIN_PIECES = 16
MAX_RULE = 80
#: How often the same number may stand in a list.
N_NUMBERS = 10
#: Behind it emoji begin, which are no rules.
_BMP = 0xFFFF
_NUMBER = re.compile(r"\d+")
_PIECES = re.compile(rf"(?=(.{{1,{MAX_PIECE}}}?)\1{{{N_PIECES - 1},}})")


@dataclass(frozen=True)
class Repetition:
    """What the file around a fill repeats itself.

    Args:
        prefix: the file up to it.
        suffix: the file behind it, and whatever else may be said as often as it stands there.
    """

    prefix: str
    suffix: str

    def find(self, text: str, *, is_whole: bool) -> tuple[int, int] | None:
        """Return where a text begins to say something for the third time, and where this shows."""
        before = self._before
        lines = text.split("\n")
        known, n_before = [_same(line) for line in before], len(before)
        at = 0
        for index, line in enumerate(lines):
            here = self._here + line if index == 0 else line
            end = at + len(line)
            is_last = index == len(lines) - 1
            if found := self._in_line(line):
                return at + found[0], at + found[1]
            known.append(_same(here))
            if not is_last or (is_whole and line.strip()):
                for size in range(1, MAX_BLOCK + 1):
                    start = len(known) - size
                    if start < n_before:
                        break
                    if known[start - 1 : start] != known[-1:]:
                        continue
                    n_times = _n_times(known, size)
                    if n_times > N_TWICE and n_times > self._n_around(tuple(known[-size:])):
                        first = start - n_before
                        said = sum(len(one) + 1 for one in lines[:first])
                        return max(0, said - 1), min(len(text), end + 1)
            at = end + 1
        return None

    def firm(self, text: str) -> int:
        """Return up to where a text can't turn out to be a repetition."""
        lines = text.split("\n")
        known = [_same(line) for line in self._before]
        known += [_same(line if index else self._here + line) for index, line in enumerate(lines)]
        firm = len(text)
        for size in range(1, MAX_BLOCK + 1):
            n_same = 0
            while n_same + size < len(known):
                one, other = known[-1 - n_same], known[-1 - n_same - size]
                if not (other.startswith(one.rstrip("0")) if n_same == 0 else one == other):
                    break
                n_same += 1
            if n_same > size:
                held = lines[len(lines) - min(len(lines), n_same - size) :]
                firm = min(firm, len(text) - len("\n".join(held)) - (len(held) < len(lines)))
        return max(0, firm)

    @cached_property
    def _here(self) -> str:
        return self.prefix.rpartition("\n")[2]

    @cached_property
    def _before(self) -> list[str]:
        """The last lines before the fill's own."""
        return self.prefix.split("\n")[-1 - MAX_BLOCK * N_TWICE : -1]

    @cached_property
    def _around(self) -> tuple[list[str], list[str]]:
        before = self.prefix.split("\n")[-1 - N_AROUND : -1]
        behind = self.suffix.split("\n")[:N_AROUND]
        return [_same(line) for line in before], [_same(line) for line in behind]

    def _n_around(self, block: tuple[str, ...]) -> int:
        """Return how often a block stands in a row in the file."""
        most = 0
        for lines in self._around:
            in_row = at = 0
            while at + len(block) <= len(lines):
                if tuple(lines[at : at + len(block)]) == block:
                    in_row, at = in_row + 1, at + len(block)
                    most = max(most, in_row)
                else:
                    in_row, at = 0, at + 1
        # Those that the fill goes on with count along, so it may go on for as many again.
        return 2 * most if most > N_TWICE else 0

    def _in_line(self, line: str) -> tuple[int, int] | None:
        for piece, start, shown in _runs(line):
            # Every file has three blanks in a row.
            n_times = -(-MAX_RULE // len(piece)) if piece.isspace() else 3
            if n_times * piece not in self.prefix + "\n" + self.suffix:
                return start + N_TWICE * len(piece), shown
        return None


@lru_cache(maxsize=1024)
def _runs(line: str) -> tuple[tuple[str, int, int], ...]:
    """Return the pieces that stand too often in a row, where they begin, and where it shows."""
    runs = []
    for found in _PIECES.finditer(line):
        piece, start = found.group(1), found.start()
        n_times = N_PIECES
        while line.startswith(piece, start + n_times * len(piece)):
            n_times += 1
        is_emoji = ord(max(piece)) > _BMP
        most = MIN_PIECES if is_emoji or any(map(str.isalpha, piece)) else MAX_RULE
        n_needed = N_PIECES if is_emoji else max(N_PIECES, -(-most // len(piece)))
        if any(map(str.isdigit, piece)) and not piece.isdigit():
            n_needed = min(n_needed, N_NUMBERS)
        if n_times >= n_needed:
            runs.append((piece, start, start + n_needed * len(piece)))
    return tuple(runs)


@lru_cache(maxsize=4096)
def _same(line: str) -> str:
    """Return what is the same in lines that count as the same."""
    return _NUMBER.sub("0", line.rstrip())


def _n_times(lines: list[str], size: int) -> int:
    """Return how often the last lines stand there in a row."""
    block, n_times = lines[-size:], 1
    if size > 1 and len(set(block)) == 1:
        return 1
    while lines[len(lines) - (n_times + 1) * size : len(lines) - n_times * size] == block:
        n_times += 1
        if (n_times + 1) * size > len(lines):
            break
    return n_times
