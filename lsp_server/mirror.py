r"""Open documents, kept in step with the editor's, change by change.

A document is kept as its lines, each with its line end: a change touches the lines it names, so it
costs what those cost and not what the document does. A replace-all sends thousands of changes at
once, and every one counts its positions in the text that the one before it left.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from lsp_server.documents import LINE_END, has_half_character, line_starts, plain, skip_units

if TYPE_CHECKING:
    from pygls.workspace.position_codec import PositionCodec


class Document(TextDocument):
    """pygls' mirror of an open document, kept in step by LSP's rule for lines."""

    #: None until the first change of a part, and after a change of the whole.
    _lines: list[str] | None = None

    @property
    def source(self) -> str:
        """The whole text."""
        if self._source is None and self._lines is not None:
            self._source = "".join(self._lines)
        return super().source

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Take one content change of a `didChange` notification."""
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            self._source, self._lines = change.text, None
            return
        if self._lines is None:
            self._lines = _split(self.source)
        lines = self._lines
        places = self._place(lines, change.range.start), self._place(lines, change.range.end)
        (first, start), (last, end) = sorted(places)
        block = lines[first][:start] + change.text + lines[last][end:]
        self._source = None
        if has_half_character(change.text):
            # The other half may have come with a change of its own.
            block = block.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if first == last and start and not LINE_END.search(change.text):
            # What one types; a line may be as long as a file.
            lines[first] = block
            return
        if block.startswith("\n") and first and lines[first - 1].endswith("\r"):
            # Two line ends have become one.
            first -= 1
            block = lines[first] + block
        inner = _split(block)
        if last + 1 < len(lines):
            # Behind the block's last line end stands the next line, and no empty one.
            inner.pop()
        lines[first : last + 1] = inner

    def _place(self, lines: list[str], position: types.Position) -> tuple[int, int]:
        """Return a position as a line and how many of its characters stand before it.

        Past the end is the end, as editors have it: refused, a change would be missing here.
        """
        if position.line >= len(lines):
            return len(lines) - 1, len(lines[-1])
        line = lines[position.line]
        n_text = len(line)
        while n_text and line[n_text - 1] in "\r\n":
            n_text -= 1
        encoding = plain(self.position_codec.encoding)
        return position.line, min(skip_units(line, position.character, encoding), n_text)


class OpenDocuments(Workspace):
    """pygls' workspace with our documents in it, the one used last standing last."""

    _position_codec: PositionCodec

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> Document:
        return Document(doc_uri, source, version, language_id, position_codec=self._position_codec)

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        """Apply a change, and remember the document as the one used last."""
        super().update_text_document(text_doc, change)
        self.touch(text_doc.uri)

    @property
    def encoding(self) -> str:
        """What the client's columns count."""
        return plain(self.position_encoding)

    def touch(self, uri: str) -> None:
        """Remember a document as the one used last."""
        key = unquote(uri)
        if document := self._text_documents.pop(key, None):
            self._text_documents[key] = document

    def opened(self, uri: str) -> TextDocument | None:
        """Return an open document; None where the client has not opened it, or has closed it."""
        return self._text_documents.get(unquote(uri))

    def recent(self) -> list[TextDocument]:
        """Return the open documents, the one used last first."""
        return list(reversed(self._text_documents.values()))


def _split(text: str) -> list[str]:
    """Return a text's lines with their line ends; the last one has none, and may be empty."""
    return [text[start:end] for start, end in pairwise([*line_starts(text), len(text)])]
