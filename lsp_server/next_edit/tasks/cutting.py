"""A file and a change to a task: what the server asks then, and what is wanted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.next_edit.asking import build_request
from lsp_server.next_edit.changes import Change
from model_runtime.protocol import NextEditRequest
from model_runtime.protocol.eval_tasks import NextEditTask

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from lsp_server.next_edit.mentions import Mention

#: Lines around which a file is cut: what is far away costs time and says little.
MAX_LINES = 500
IDENTIFIER = re.compile(r"(?<!\w)[A-Za-z_]\w+(?!\w)")


def replaced(
    document: dict[str, Any],
    text: str,
    changed: Mention,
    new: str,
    others: Sequence[Mention],
    kind: str,
) -> NextEditTask | None:
    """Put another word at a mention; wanted are the same at others."""
    start, end = changed.span
    shift, old = len(new) - (end - start), text[start:end]
    wanted = []
    for mention in others:
        moved = shift if mention.span.start > start else 0
        put = f"{old}: {new}" if mention.is_shorthand else new
        wanted.append((mention.span.start + moved, mention.span.end + moved, put))
    after = text[:start] + new + text[end:]
    return task_of(document, after, [Change(start, old, new)], wanted, kind)


def task_of(
    document: dict[str, Any],
    after: str,
    changes: Sequence[Change],
    wanted: Sequence[tuple[int, int, str]],
    kind: str,
) -> NextEditTask | None:
    """Return a task; None where nothing is wanted and nothing would be asked.

    Args:
        document: of a corpus.
        after: the text behind the changes.
        changes: of `meant`.
        wanted: start, end and text of each place.
        kind: what the task is of.
    """
    name = f"{document['package']}/{document['path']}/{changes[0].start}"
    request = build_request(
        document["language"], after, changes, path=document["path"], document=name
    )
    if request is None and wanted:
        # Nothing is found: that counts, too.
        request = NextEditRequest(id="", text=after, changes=(), language=document["language"])
    if request is None:
        return None
    return NextEditTask(
        id=f"{kind}/{name}",
        kind=kind,
        source=f"{document['package']} {document['version']} ({document['licence']})",
        request=msgspec.structs.replace(request, id=""),
        wanted=tuple(wanted),
    )


def cut(text: str, rng: random.Random) -> str:
    """Return a text, no more of it than `MAX_LINES`."""
    lines = text.splitlines(keepends=True)
    if len(lines) <= MAX_LINES:
        return text
    first = rng.randrange(len(lines) - MAX_LINES)
    # From a line that begins something of the file.
    while first and (not lines[first].strip() or lines[first][0].isspace()):
        first -= 1
    return "".join(lines[first : first + MAX_LINES])
