"""Where one line is meant, whoever asks and whatever for.

Text that follows on the line of a span is the rest of it: a fill of several lines would tear them
apart. And a comment that ends with its line is finished by finishing the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from model_runtime.text.closers import closers_at
from model_runtime.text.syntax import syntax_of

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

#: Modes that fill; the others go on from a text, which has its lines.
_FILLING = ("infill", "holes")


def as_meant(request: InfillRequest) -> InfillRequest:
    """Return a request whose spans have one line where no more can be meant."""
    if request.mode not in _FILLING:
        return request
    spans, before = [], request.prefix
    syntax = syntax_of(request.language, request.path, request.prefix + request.suffix)
    for index, span in enumerate(request.spans):
        is_last = index == len(request.spans) - 1
        behind = span.following + (request.suffix if is_last else "")
        rest, end, _ = behind.partition("\n")
        # A span between two others on one line has a rest, too.
        is_meant = bool(rest.strip()) or not (end or is_last)
        if not is_meant and before.rpartition("\n")[2].strip():
            is_meant = closers_at(before, behind, syntax).is_in_comment
        is_meant = is_meant and "\n" not in span.text
        spans.append(msgspec.structs.replace(span, single_line=span.single_line or is_meant))
        before += span.text + span.following
    return msgspec.structs.replace(request, spans=tuple(spans))
