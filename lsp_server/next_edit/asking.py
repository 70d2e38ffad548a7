"""A document and its last edit to the request the runtime gets."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lsp_server.fill.edits import Replacement, apply_replacements
from lsp_server.next_edit.candidates import find_candidates, find_elsewhere
from lsp_server.next_edit.declared import follow_type
from lsp_server.next_edit.members import follow_member
from lsp_server.next_edit.signatures import follow_signature
from lsp_server.next_edit.unbound import follow_unbound
from lsp_server.syntax.check import find_new_faults
from model_runtime.protocol import Change as MadeChange
from model_runtime.protocol import Group, NextEditRequest, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.next_edit.changes import Change
    from lsp_server.next_edit.places import Candidates


def build_request(
    language: str, text: str, changes: Sequence[Change], **values: Any
) -> NextEditRequest | None:
    """Return what to ask the runtime; None where nothing can follow from a change.

    Nothing follows from one that is not finished: that left the file with a fault of syntax.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
        values: `path`, as the model should see it; `document`, its identity, for the newest request
            of one supersedes the older; `least_confidence`, from which a group is wanted;
            `deadline_s`, seconds after which nobody wants it any more.
    """
    if find_new_faults(language, taken_back(text, changes), text):
        return None
    every = [group for find in _FINDS for group in find(language, text, changes)]
    found = list({group.puts: group for group in reversed(every)}.values())[::-1]
    return _request(language, text, changes, found, **values) if found else None


def taken_back(text: str, changes: Sequence[Change]) -> str:
    """Return a text as it stood before its changes, which are in order."""
    return apply_replacements(text, (Replacement(one.span, one.old) for one in changes))


#: What may follow from a change, the likeliest to be meant first.
_FINDS = (follow_signature, follow_unbound, follow_type, follow_member, find_candidates)


def build_request_elsewhere(
    language: str, text: str, changes: Sequence[Change], other: str, **values: Any
) -> NextEditRequest | None:
    """Return what to ask about another file; its places are those of the other text.

    The two are read as one file, the other in front.
    """
    found = find_elsewhere(language, text, changes, other)
    front = f"{other}\n"
    moved = [replace(change, start=change.start + len(front)) for change in changes]
    return _request(language, front + text, moved, found, **values) if found else None


def _request(
    language: str,
    text: str,
    changes: Sequence[Change],
    found: Sequence[Candidates],
    *,
    path: str = "",
    document: str = "",
    least_confidence: float = 0.0,
    deadline_s: float | None = None,
) -> NextEditRequest:
    return NextEditRequest(
        id=uuid.uuid4().hex,
        path=path,
        language=language,
        text=text,
        changes=tuple(
            MadeChange(start=change.start, old=change.old, new=change.new) for change in changes
        ),
        groups=tuple(
            Group(
                places=tuple(
                    Place(
                        start=put.span.start,
                        end=put.span.end,
                        text=put.text,
                        is_open=put.is_open,
                        behind=put.behind,
                    )
                    for put in group.puts
                ),
                is_bound=group.is_bound,
                is_known=group.is_known,
                is_text=group.is_text,
                is_loose=group.is_loose,
            )
            for group in found
        ),
        least_confidence=least_confidence,
        deadline_s=deadline_s,
        document=document,
    )
