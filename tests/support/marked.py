"""Marked text: `$0` stands for a cursor, `$0…$0` for a selection."""

from __future__ import annotations

from lsp_server.documents import UTF32, DocumentSnapshot, Span

MARK = "$0"


def unmark(marked: str) -> tuple[str, list[Span]]:
    """Return the text without its marks, and the spans between each pair of them.

    A single mark is a cursor: one empty span.
    """
    pieces = marked.split(MARK)
    offsets, n_before = [], 0
    for piece in pieces[:-1]:
        n_before += len(piece)
        offsets.append(n_before)
    if len(offsets) == 1:
        offsets *= 2
    return "".join(pieces), [Span(*pair) for pair in zip(offsets[::2], offsets[1::2], strict=True)]


def mark(text: str, spans: list[Span]) -> str:
    """Return a text with its spans marked; the inverse of `unmark`."""
    for start, end in reversed(spans):
        inside = text[start:end] + MARK if start < end else ""
        text = text[:start] + MARK + inside + text[end:]
    return text


def snapshot_of(
    text: str, language: str = "python", *, path: str = "/w/a.py", encoding: str = UTF32
) -> DocumentSnapshot:
    """Return a snapshot of a text that no editor holds."""
    return DocumentSnapshot(f"file://{path}", path, language, 1, text, encoding)
