"""`FILE:LINE[:COLUMN][-LINE[:COLUMN]]`: how a selection is said on the command line.

Lines and columns count from 1, as editors show them; a column is a cursor's place, before the
character of that number. So FILE:3:5-3:9 holds four characters and FILE:3:5 none, which means
"here". Without columns whole lines are meant, from the first one's text (its indentation stays) to
the end of the last one (its line end stays).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.errors import BadSelection

if TYPE_CHECKING:
    from lsp_server.documents import DocumentSnapshot

_PLACE = r"(\d+)(?::(\d+))?"
_TARGET = re.compile(rf"(.+?)(?::{_PLACE}(?:-{_PLACE})?)?", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """A file and what was said of a place in it; None for what was not said."""

    path: Path
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a target; a file whose whole name looks like one is that file."""
        found = _TARGET.fullmatch(text)
        if found is None or Path(text).is_file():
            return cls(Path(text))
        path, *numbers = found.groups()
        return cls(Path(path), *(int(number) if number else None for number in numbers))

    def selections(self, snapshot: DocumentSnapshot) -> list[Span]:
        """Return what is selected: one span, or none where only a file was said.

        Raises:
            BadSelection: outside the file, or it ends before it starts.
        """
        if self.line is None:
            return []
        start = _offset(snapshot, self.line, self.column)
        if self.end_line is not None:
            end = _offset(snapshot, self.end_line, self.end_column, is_end=True)
        elif self.column is not None:
            end = start
        else:
            end = _offset(snapshot, self.line, None, is_end=True)
        if end < start:
            raise BadSelection("The selection ends before it starts. Turn it round and try again.")
        return [Span(start, end)]


def _offset(
    snapshot: DocumentSnapshot, line: int, column: int | None, *, is_end: bool = False
) -> int:
    """Return an offset; without a column that of the line's end, or of its text's start."""
    lines = snapshot.lines
    if not 1 <= line <= lines.n_lines:
        raise BadSelection(f"There is no line {line}; the file has lines 1 to {lines.n_lines}.")
    start, end = lines.line(line - 1)
    if column is None:
        text = snapshot.text[start:end]
        return end if is_end else end - len(text.lstrip())
    if not 1 <= column <= end - start + 1:
        raise BadSelection(
            f"There is no column {column} in line {line}; it has columns 1 to {end - start + 1}."
        )
    return start + column - 1
