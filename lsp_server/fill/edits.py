"""Fills to edits: as small as they can be, and only for the document they were computed from."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.documents import LINE_END, DocumentSnapshot, Span
from lsp_server.errors import StaleResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pygls.workspace import TextDocument


@dataclass(frozen=True)
class Replacement:
    """New text for a span of the old one."""

    span: Span
    text: str


def to_replacements(
    snapshot: DocumentSnapshot, spans: Sequence[Span], texts: Sequence[str]
) -> list[Replacement]:
    r"""Return the smallest replacements that turn each span into its text.

    The model writes "\n"; a new line gets the document's own line end, and what does not change
    keeps the one it has, byte for byte.

    Args:
        snapshot: the document.
        spans: in the order of the text, apart from each other.
        texts: one for each span.
    """
    return [
        replacement
        for span, text in zip(spans, texts, strict=True)
        for replacement in _differences(snapshot, span, to_newlines(text))
    ]


def to_newlines(text: str) -> str:
    r"""Return a text with "\n" for every line end: how the model sees and writes them."""
    # Mostly it is that already, and it is asked with every key.
    return LINE_END.sub("\n", text) if "\r" in text else text


def apply_replacements(text: str, replacements: Iterable[Replacement]) -> str:
    """Return `text` with replacements made that are in order and apart from each other."""
    pieces, end = [], 0
    for replacement in replacements:
        pieces += [text[end : replacement.span.start], replacement.text]
        end = replacement.span.end
    return "".join([*pieces, text[end:]])


def moved(offset: int, replacements: Iterable[Replacement]) -> int:
    """Return where in the new text a place stands that no replacement lies across."""
    return offset + sum(
        len(one.text) - (one.span.end - one.span.start)
        for one in replacements
        if one.span.start < offset
    )


def to_text_edits(
    snapshot: DocumentSnapshot, replacements: Iterable[Replacement]
) -> list[types.TextEdit]:
    """Return replacements in the client's positions."""
    return [
        types.TextEdit(range=snapshot.range_of(replacement.span), new_text=replacement.text)
        for replacement in replacements
    ]


def to_workspace_edit(
    snapshot: DocumentSnapshot, replacements: Iterable[Replacement], *, versioned: bool
) -> types.WorkspaceEdit:
    """Return replacements as one edit, and so one step of undo.

    Args:
        snapshot: the document.
        replacements: see `to_replacements`.
        versioned: whether the client knows `documentChanges`; it then refuses a stale edit itself.
    """
    edits = to_text_edits(snapshot, replacements)
    if not versioned:
        return types.WorkspaceEdit(changes={snapshot.uri: edits})
    identifier = types.OptionalVersionedTextDocumentIdentifier(
        uri=snapshot.uri, version=snapshot.version
    )
    change = types.TextDocumentEdit(text_document=identifier, edits=edits)
    return types.WorkspaceEdit(document_changes=[change])


def check_current(snapshot: DocumentSnapshot, document: TextDocument | None) -> None:
    """Check that a document is still what it was.

    Raises:
        StaleResult: it was edited or closed since.
    """
    if document is None:
        raise StaleResult("The document was closed while the model worked; the result is dropped.")
    if document.version != snapshot.version or document.source != snapshot.text:
        raise StaleResult("The document changed while the model worked; the result is dropped.")


def _differences(snapshot: DocumentSnapshot, span: Span, text: str) -> Iterator[Replacement]:
    old = split_lines(snapshot.text[span.start : span.end])
    new = split_lines(text)
    starts = list(accumulate(map(len, old), initial=span.start))
    matcher = SequenceMatcher(None, [to_newlines(line) for line in old], new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            replaced = "".join(new[j1:j2]).replace("\n", snapshot.line_end)
            yield _trim(Span(starts[i1], starts[i2]), "".join(old[i1:i2]), replaced)


def split_lines(text: str) -> list[str]:
    """Return a text's lines with their line ends, by LSP's rule."""
    ends = [found.end() for found in LINE_END.finditer(text)]
    cuts = [0, *ends, len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def _trim(span: Span, old: str, new: str) -> Replacement:
    r"""Leave out what both texts begin and end with, never parting "\r" from its "\n"."""
    shortest = min(len(old), len(new))
    head = 0
    while head < shortest and old[head] == new[head]:
        head += 1
    if head and old[head - 1] == "\r" and "\n" in (old[head : head + 1], new[head : head + 1]):
        head -= 1
    tail = 0
    while tail < shortest - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if (
        tail
        and old[-tail] == "\n"
        and "\r" in (old[: len(old) - tail][-1:], new[: len(new) - tail][-1:])
    ):
        tail -= 1
    return Replacement(Span(span.start + head, span.end - tail), new[head : len(new) - tail])
