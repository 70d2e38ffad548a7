r"""Positions, and the one snapshot of a document that a request works on.

The only module that converts positions. A line ends at "\n", "\r\n" or "\r" and nowhere else, as
LSP says; Python's own `str.splitlines` also ends it at a form feed or U+2028, which is how a mirror
kept with it (pygls' own) loses sync with the editor. Inside the server a place in a text is an
offset: the number of characters before it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path

from lsp_server.errors import BadSelection, UnsupportedDocument

if TYPE_CHECKING:
    from pygls.workspace import TextDocument

#: Where a line ends, by LSP's rule.
LINE_END = re.compile(r"\r\n|\n|\r")

UTF8: str = types.PositionEncodingKind.Utf8.value
UTF16: str = types.PositionEncodingKind.Utf16.value
UTF32: str = types.PositionEncodingKind.Utf32.value

#: The bytes of UTF-8 that begin no character.
_CONTINUATION = bytes(range(0x80, 0xC0))
_PARTS = frozenset(bytes([part]) for part in _CONTINUATION)


class PositionLike(Protocol):
    """A line and a column in the client's units, both from 0; lsprotocol's and our own."""

    @property
    def line(self) -> int:
        """Counts from 0."""

    @property
    def character(self) -> int:
        """Counts from 0, in units of the position encoding."""


class RangeLike(Protocol):
    """Two positions; lsprotocol's and our own."""

    @property
    def start(self) -> PositionLike:
        """Where it starts."""

    @property
    def end(self) -> PositionLike:
        """Where it ends, that place itself left out."""


class Span(NamedTuple):
    """A stretch of a text, as offsets; empty where `start == end`."""

    start: int
    end: int


def count_units(text: str, encoding: str) -> int:
    """Return the length of `text` in the units of a position encoding."""
    if encoding == UTF32 or text.isascii():
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def skip_units(text: str, units: int, encoding: str) -> int:
    """Return how many whole characters at the start of `text` fit into `units`."""
    # Each has one unit at least.
    head = text[:units]
    if encoding == UTF32 or head.isascii():
        return len(head)
    if encoding == UTF8:
        data = head.encode("utf-8", "surrogatepass")
        n_begun = len(data[:units].translate(None, _CONTINUATION))
        return n_begun - (data[units : units + 1] in _PARTS)
    data = head.encode("utf-16-le", "surrogatepass")
    begun = data[: 2 * units].decode("utf-16-le", "surrogatepass")
    return len(begun) - (begun[-1:] != head[len(begun) - 1 : len(begun)])


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line starts."""
    n_returns = text.count("\r")
    if n_returns and n_returns != text.count("\r\n"):
        return [0, *(found.end() for found in LINE_END.finditer(text))]
    # The same where no "\r" stands alone, ten times as fast; a megabyte is asked about with every
    # key.
    return list(accumulate((len(line) + 1 for line in text.split("\n")[:-1]), initial=0))


class LineMap:
    """Offsets to positions and back, for one text and one position encoding."""

    def __init__(self, text: str, encoding: str) -> None:
        self.text = text
        self.encoding = encoding
        self.starts = line_starts(text)

    @property
    def n_lines(self) -> int:
        """Number of lines; a text that ends in a line end has an empty last one."""
        return len(self.starts)

    def line(self, line: int) -> Span:
        """Return where a line's text stands, without its line end."""
        start = self.starts[line]
        is_last = line + 1 == self.n_lines
        end = len(self.text) if is_last else self.starts[line + 1]
        return Span(start, start + len(self.text[start:end].rstrip("\r\n")))

    def offset_at(self, position: PositionLike) -> int:
        """Return the offset of a position.

        As LSP wants it, a column past the line's end means the line's end. The start of the line
        after the last one means the text's end, which is how clients select a whole last line.

        Raises:
            BadSelection: the line is not in the text.
        """
        if position.line == self.n_lines and position.character == 0:
            return len(self.text)
        if not 0 <= position.line < self.n_lines or position.character < 0:
            raise BadSelection(
                f"Line {position.line + 1} is outside the document, which has "
                f"{self.n_lines} lines. Select inside it and try again."
            )
        start, end = self.line(position.line)
        return start + skip_units(self.text[start:end], position.character, self.encoding)

    def position_at(self, offset: int) -> types.Position:
        """Return the position of an offset between 0 and the text's length."""
        line = bisect_right(self.starts, offset) - 1
        before = self.text[self.starts[line] : offset]
        return types.Position(line=line, character=count_units(before, self.encoding))


@dataclass(frozen=True)
class DocumentSnapshot:
    """A document as it was when a request came in. What is computed from it stays true of it."""

    uri: str
    #: As the file system has it; empty where there is no file (an untitled buffer).
    path: str
    #: The LSP language id, e.g. "python"; may be empty.
    language: str
    #: None where the text came from a file and not from an editor.
    version: int | None
    text: str
    #: What columns of its positions count: "utf-8", "utf-16" or "utf-32".
    encoding: str
    #: What the model reads before the text and behind it; a notebook's other cells.
    before: str = ""
    behind: str = ""

    @classmethod
    def take(cls, document: TextDocument, encoding: str) -> DocumentSnapshot:
        """Photograph an open document: the first line of every handler, before any await.

        Raises:
            UnsupportedDocument: it is binary.
        """
        path = (to_fs_path(document.uri) or "") if document.uri.startswith("file:") else ""
        text = document.source
        _check_text(text, Path(document.path or document.uri).name)
        return cls(document.uri, path, document.language_id or "", document.version, text, encoding)

    @classmethod
    def read(cls, path: Path, language: str) -> DocumentSnapshot:
        """Read a file, line ends and byte order mark as they are; its columns count characters.

        Raises:
            UnsupportedDocument: not there, not UTF-8, or binary.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnsupportedDocument(f"Can't read {path}: {error.strerror}.") from error
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnsupportedDocument(
                f"{path.name} is not UTF-8 text. Convert it and try again."
            ) from error
        _check_text(text, path.name)
        uri = from_fs_path(str(path.resolve())) or ""
        return cls(uri, str(path), language, None, text, UTF32)

    @cached_property
    def lines(self) -> LineMap:
        """The text's lines, and its positions."""
        return LineMap(self.text, self.encoding)

    @cached_property
    def line_end(self) -> str:
        r"""The line end that a new line gets: the text's most frequent one, else "\n"."""
        found = LINE_END.findall(self.text)
        return max(("\n", "\r\n", "\r"), key=found.count) if found else "\n"

    def span_of(self, selection: RangeLike) -> Span:
        """Return the offsets of a range.

        Raises:
            BadSelection: it ends before it starts, or lies outside the text.
        """
        span = Span(self.lines.offset_at(selection.start), self.lines.offset_at(selection.end))
        if span.end < span.start:
            raise BadSelection("The selection ends before it starts. Select again and try again.")
        return span

    def range_of(self, span: Span) -> types.Range:
        """Return the range of a span, in the client's units."""
        return types.Range(self.lines.position_at(span.start), self.lines.position_at(span.end))

    def utf8_of(self, offset: int) -> int:
        """Return how many bytes of UTF-8 stand before an offset, as tree-sitter counts."""
        return offset if self.text.isascii() else len(self.text[:offset].encode("utf-8"))

    def offset_of_utf8(self, n_bytes: int) -> int:
        """Return the offset that `n_bytes` of UTF-8 stand before: the inverse of `utf8_of`."""
        if self.text.isascii():
            return n_bytes
        return len(self.text.encode("utf-8")[:n_bytes].decode("utf-8"))


def plain(encoding: types.PositionEncodingKind | str | None) -> str:
    """Return a position encoding's name; UTF-16 where none was agreed on."""
    return types.PositionEncodingKind(encoding or UTF16).value


def has_half_character(text: str) -> bool:
    """Return whether a text holds a lone surrogate, which JSON can carry and UTF-8 can't."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _check_text(text: str, name: str) -> None:
    if "\0" in text:
        raise UnsupportedDocument(f"{name} is binary; Remask works on text.")
    if has_half_character(text):
        raise UnsupportedDocument(
            f"{name} holds half characters (lone surrogates), which no UTF-8 text has. "
            "Remove them and try again."
        )
