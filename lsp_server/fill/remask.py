"""Asking again for the part of a fill in which a fault shows, the rest of which stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsp_server.documents import LINE_END
from lsp_server.fill.edits import to_newlines
from model_runtime.protocol import Stretch

if TYPE_CHECKING:
    from lsp_server.fill.filled import Filled
    from model_runtime.protocol import Alternative, Finished, InfillRequest


@dataclass(frozen=True)
class Remask:
    """A request for a part of a fill, the rest of which stands."""

    request: InfillRequest
    head: str = ""
    tail: str = ""

    def complete(self, finished: Finished) -> Finished:
        """Return what came back with the rest of the fill around it."""
        if not (self.head or self.tail):
            return finished
        whole = tuple(self._whole(one) for one in finished.alternatives)
        return msgspec.structs.replace(finished, alternatives=whole)

    def _whole(self, part: Alternative) -> Alternative:
        confidence = tuple(
            # What stands is not in doubt here; how sure the rest is counts from where it begins.
            (Stretch(n_chars=len(self.head), confidence=1.0), *stretches) if stretches else ()
            for stretches in part.confidence
        )
        texts = (self.head + part.texts[0] + self.tail,)
        return msgspec.structs.replace(part, texts=texts, confidence=confidence)


def remask_line(filled: Filled) -> Remask:
    """Mask the line of a fill in which its first new fault shows, or the nearest one to it.

    What was not filled anew as one span is asked for as a whole.
    """
    request = filled.plan.request
    if request.mode != "infill" or request.instruction or len(request.spans) > 1:
        return Remask(request)
    text = to_newlines(filled.best.texts[0])
    lines = text.split("\n")
    before = filled.text[: filled.plan.spans[0].start], filled.text[: filled.new_faults[0].start]
    first, fault = (len(LINE_END.findall(part)) for part in before)
    index = min(max(fault - first, 0), len(lines) - 1)
    while index and not lines[index].strip():
        index -= 1
    start = sum(len(line) + 1 for line in lines[:index])
    end = start + len(lines[index])
    start += len(lines[index]) - len(lines[index].lstrip())
    head, tail = text[:start], text[end:]
    span = msgspec.structs.replace(request.spans[0], text="", enclosing=None)
    prefix, suffix = request.prefix + head, tail + request.suffix
    part = msgspec.structs.replace(request, prefix=prefix, suffix=suffix, spans=(span,))
    return Remask(part, head, tail)
