"""Whether an edit comes as a proposal to look at, and what in it is in doubt.

On the wire it is LSP's own: a change annotation that needs confirmation. Editors that know these
show the edit first; which lines are in doubt stands in the annotation.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.fill.edits import moved, to_newlines, to_workspace_edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsp_server.fill.filled import Filled
    from lsp_server.settings import Review
    from model_runtime.protocol import Stretch

#: More lines than this nobody takes in at a glance.
MANY_LINES = 3
#: A stretch is in doubt where it is right less often than this, all before it being right.
LEAST_SURE = 0.5
#: Doubtful lines that are told, at most.
MAX_TOLD = 5
ANNOTATION = "remask"


def review_of(filled: Filled, setting: Review) -> types.ChangeAnnotation | None:
    """Return what is to be said of an edit that is to be looked at first; None where it is not.

    Args:
        filled: the edit.
        setting: the user's; "doubtful" means edits of many lines as well.
    """
    if setting == "never" or not filled.replacements:
        return None
    doubtful, n_lines = list(doubtful_lines(filled)), _n_lines(filled)
    is_wanted = setting == "always" or doubtful or filled.warning or n_lines > MANY_LINES
    if not is_wanted:
        return None
    told = ", ".join(f"line {line}" for line in doubtful[:MAX_TOLD])
    words = [filled.warning, f"In doubt: {told}." if told else ""]
    return types.ChangeAnnotation(
        label=f"Remask: {filled.plan.request.mode}",
        needs_confirmation=True,
        description=" ".join(filter(None, words)) or None,
    )


def doubtful_lines(filled: Filled) -> Iterator[int]:
    """Yield the lines of the new document, from 1, that hold a stretch in doubt."""
    told = set[int]()
    triples = zip(filled.plan.spans, filled.best.texts, filled.best.confidence, strict=False)
    for span, text, stretches in triples:
        start_of_text = moved(span.start, filled.replacements)
        before = to_newlines(filled.text[:start_of_text]).count("\n")
        for start, _ in _doubtful(stretches):
            line = before + text[:start].count("\n") + 1
            if line not in told:
                told.add(line)
                yield line


def _doubtful(stretches: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """Yield where the stretches stand whose own share of the confidence is small."""
    sure = chain([1.0], (stretch.confidence for stretch in stretches))
    start = 0
    for stretch, (before, after) in zip(stretches, pairwise(sure), strict=True):
        if after < LEAST_SURE * before:
            yield start, start + stretch.n_chars
        start += stretch.n_chars


def _n_lines(filled: Filled) -> int:
    """Return how many lines the largest replacement takes or brings."""
    text = filled.plan.snapshot.text
    return max(
        max(edit.text.count("\n"), text[edit.span.start : edit.span.end].count("\n")) + 1
        for edit in filled.replacements
    )


def to_reviewed_edit(
    filled: Filled, setting: Review, *, versioned: bool, annotated: bool
) -> types.WorkspaceEdit:
    """Return the edit, to be looked at first where the user wants that and the editor can.

    Args:
        filled: what is to be changed.
        setting: the user's.
        versioned: whether the client knows `documentChanges`.
        annotated: whether it knows change annotations.
    """
    edit = to_workspace_edit(filled.plan.snapshot, filled.replacements, versioned=versioned)
    annotation = review_of(filled, setting) if versioned and annotated else None
    if annotation is None:
        return edit
    for change in edit.document_changes or ():
        if isinstance(change, types.TextDocumentEdit):
            change.edits = [
                types.AnnotatedTextEdit(ANNOTATION, one.range, one.new_text)
                for one in change.edits
                if isinstance(one, types.TextEdit)
            ]
    edit.change_annotations = {ANNOTATION: annotation}
    return edit
