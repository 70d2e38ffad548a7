r"""A snapshot and spans to the request the runtime gets.

The request holds text, as the model reads it: "\n" for every line end, no byte order mark. Which
tokens it becomes is the runtime's business; so is what to leave out where the text is too long.
"""

from __future__ import annotations

import os.path
import uuid
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from lsp_server.documents import Span
from lsp_server.fill.edits import to_newlines
from lsp_server.fill.neighbours import functions_to_leave_out, without
from lsp_server.paths import is_inside, relative_path
from lsp_server.syntax.enclosing import find_enclosing
from model_runtime.protocol import WRITING, ContextFile, InfillRequest, MaskSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsp_server.documents import DocumentSnapshot
    from lsp_server.protocol_ext import InfillParams, Range
    from lsp_server.settings import Lines, Settings
    from model_runtime.protocol import Enclosing, Lane

_BYTE_ORDER_MARK = "\ufeff"

#: Repairs asked for: which of them parses is for the grammar to say.
N_REPAIRS = 8
#: Less of a file than this says nothing; it is left out.
_MIN_CONTEXT_BYTES = 64


def build_infill(
    snapshot: DocumentSnapshot,
    spans: Sequence[Span],
    params: InfillParams,
    settings: Settings,
    *,
    context: Sequence[ContextFile] = (),
    root: str = "",
    lane: Lane = "edit",
    n_alternatives: int | None = None,
    least_confidence: float = 0.0,
) -> InfillRequest:
    """Return the request that fills `spans` of a document.

    Args:
        snapshot: the document.
        spans: from `find_mask_spans`.
        params: what was asked for; it wins over the settings.
        settings: the user's.
        context: from `choose_context`.
        root: the workspace folder; the model sees the path from there.
        lane: whether a person waits for ghost text or for an edit.
        n_alternatives: None to take the setting.
        least_confidence: see `InfillRequest.least_confidence`.
    """
    text = snapshot.text
    inline = lane == "inline"
    # Ghost text goes on from the cursor, wherever that stands.
    around = [None if inline else find_enclosing(snapshot.language, text, span) for span in spans]
    enclosing = [
        where and _where_as_read(text, span, where)
        for span, where in zip(spans, around, strict=True)
    ]
    cut = _cut_out(snapshot, spans, around) if params.mode in WRITING else []
    following = [without(text, a.end, b.start, cut) for a, b in pairwise(spans)]
    told = None if params.told is None else told_as_read(snapshot, spans[0], params.told)
    return InfillRequest(
        id=uuid.uuid4().hex,
        path=relative_path(snapshot.path, root),
        language=snapshot.language,
        prefix=_as_read(snapshot.before) + _as_read(without(text, 0, spans[0].start, cut)),
        suffix=_as_read(without(text, spans[-1].end, len(text), cut)) + _as_read(snapshot.behind),
        spans=tuple(
            MaskSpan(
                text=_as_read(text[span.start : span.end]),
                following=_as_read(between),
                single_line=is_single_line(snapshot, span, params.lines, enclosing=where),
                max_tokens=settings.max_tokens,
                enclosing=where,
                told=told,
            )
            for span, between, where in zip(spans, [*following, ""], enclosing, strict=True)
        ),
        mode=params.mode,
        instruction=params.instruction,
        hole_marker=settings.hole_marker,
        strength=settings.strength if params.strength is None else params.strength,
        context=tuple(context),
        model=settings.model if params.model is None else params.model,
        sampler=settings.sampler if params.sampler is None else params.sampler,
        params=settings.params if params.params is None else params.params,
        seed=settings.seed if params.seed is None else params.seed,
        n_alternatives=(
            max(settings.alternatives or 1, N_REPAIRS if params.mode == "repair" else 1)
            if n_alternatives is None
            else n_alternatives
        ),
        least_confidence=least_confidence,
        best_only=not inline and settings.alternatives != 1,
        deadline_s=settings.inline.deadline_seconds if inline else settings.deadline_seconds,
        lane=lane,
        document=snapshot.uri,
        may_glance=inline,
        stream=not inline,
    )


def _cut_out(
    snapshot: DocumentSnapshot, spans: Sequence[Span], around: Sequence[Enclosing | None]
) -> list[Span]:
    """Return what of the file is not shown where the whole body of a function is written."""
    if not any(where and where.is_body for where in around):
        return []
    functions = [
        Span(span.start - where.n_before, span.end + where.n_behind)
        for span, where in zip(spans, around, strict=True)
        if where
    ]
    return functions_to_leave_out(snapshot.language, snapshot.text, spans, functions)


def _where_as_read(text: str, span: Span, where: Enclosing) -> Enclosing:
    """Return the function around a span, measured in the text that the model reads."""
    if "\r" not in text:
        return where
    before = text[span.start - where.n_before : span.start]
    behind = text[span.end : span.end + where.n_behind]
    return msgspec.structs.replace(
        where, n_before=len(to_newlines(before)), n_behind=len(to_newlines(behind))
    )


def told_as_read(snapshot: DocumentSnapshot, span: Span, place: Range) -> tuple[int, int] | None:
    """Return where in a span's text, as it is read, a diagnostic points; None if outside."""
    start, end = snapshot.span_of(place)
    if not span.start <= start < end <= span.end:
        return None
    pieces = (snapshot.text[span.start : at] for at in (start, end))
    first, last = (len(to_newlines(piece)) for piece in pieces)
    return first, last


def is_single_line(
    snapshot: DocumentSnapshot, span: Span, lines: Lines, *, enclosing: Enclosing | None = None
) -> bool:
    """Return whether a fill stops at the first line end.

    Unless asked for otherwise: a selection inside one line stays one line, and so does a fill in
    the middle of a line. On a line that is blank so far there is room for several, and so there is
    for a whole body that has its lines for itself.
    """
    if lines != "auto":
        return lines == "one"
    if enclosing and enclosing.is_body and _has_own_lines(snapshot, span):
        return False
    if span.start < span.end:
        return not any(end in snapshot.text[span.start : span.end] for end in "\r\n")
    line = snapshot.lines.line(snapshot.lines.position_at(span.start).line)
    return bool(snapshot.text[line.start : line.end].strip())


def _has_own_lines(snapshot: DocumentSnapshot, span: Span) -> bool:
    """Return whether nothing else stands on the lines of a span."""
    first, last = (snapshot.lines.position_at(offset).line for offset in span)
    start, end = snapshot.lines.line(first).start, snapshot.lines.line(last).end
    return not (snapshot.text[start : span.start] + snapshot.text[span.end : end]).strip()


def choose_context(
    snapshot: DocumentSnapshot,
    others: Iterable[DocumentSnapshot],
    settings: Settings,
    *,
    root: str = "",
    max_bytes: int,
) -> list[ContextFile]:
    """Return other documents to show to the model, the most relevant first.

    The same language comes first, then what lies nearest in the folder tree, then what was used
    last. Files that hold secrets, or that lie outside the workspace, are never shown. The last one
    that fits is cut at a line end.

    Args:
        snapshot: the document being edited.
        others: other open documents, the one used last first.
        settings: says which files are secret.
        root: the workspace folder; empty for none, then every open file counts.
        max_bytes: how much text in all, in UTF-8.
    """
    if not max_bytes:
        return []
    candidates = [
        other
        for other in others
        if other.uri != snapshot.uri
        and other.path
        and other.text.strip()
        and is_inside(other.path, root)
        and not settings.is_secret(other.path, root)
    ]
    candidates.sort(
        key=lambda other: (
            other.language != snapshot.language,
            _distance(other.path, snapshot.path),
        )
    )
    chosen = []
    for other in candidates:
        text = _cut(_as_read(other.text), max_bytes)
        if len(text) >= min(_MIN_CONTEXT_BYTES, len(other.text)):
            chosen.append(ContextFile(path=relative_path(other.path, root), text=text))
            max_bytes -= len(text.encode("utf-8"))
    return chosen


def _distance(path: str, other: str) -> int:
    """Return how many steps through the folder tree lead from one file to another."""
    if not path or not other:
        return 0
    steps = PurePath(os.path.relpath(path, PurePath(other).parent)).parts
    return len(steps)


def _as_read(text: str) -> str:
    return to_newlines(text.removeprefix(_BYTE_ORDER_MARK))


def _cut(text: str, max_bytes: int) -> str:
    """Return the head of a text, whole lines that fit into `max_bytes`."""
    data = text.encode("utf-8")
    if len(data) <= max_bytes:
        return text
    return data[: data.rfind(b"\n", 0, max_bytes) + 1].decode("utf-8")
