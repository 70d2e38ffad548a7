"""Which prompt a span gets: the one that suits what it is and what is asked of it.

A base reads several. Told what stands before and behind a span it fills lines well (`fim`); asked
in a chat it rewrites what it is shown (`asked`); and where the answer is begun for it with the head
of a function, up to the span, it goes on from there (`begun`): what the user has written stands in
the answer and is not said again. Which one is best for which kind of span is measured for each base
(`remask eval edits`), and stands in its entry of the catalog.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from model_runtime.protocol import WRITING
from model_runtime.text.markers import without_markers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_runtime.protocol import InfillRequest, MaskSpan

Form = Literal["fim", "asked", "begun"]
#: A part of one line, lines, or all that a function's body holds.
Kind = Literal["line", "lines", "body"]


@dataclass(frozen=True)
class Forms:
    """A base's prompts, by kind of span; `fim` where none is named.

    Args:
        plain: where a span is to be filled or rewritten, and no word is said.
        in_words: where the user says in words what is wanted; else `asked`.
        changed: the same, where what stands there is shown and rewritten; else `asked`.
        judged: where what stands there is judged or repaired.
    """

    plain: Mapping[Kind, Form] = field(default_factory=dict)
    in_words: Mapping[Kind, Form] = field(default_factory=dict)
    changed: Mapping[Kind, Form] = field(default_factory=dict)
    judged: Mapping[Kind, Form] = field(default_factory=dict)
    #: Every span's, for a model that can be told in no other way what follows.
    always: Form | None = None

    def of(self, request: InfillRequest, span: MaskSpan) -> Form:
        """Return the form for a span of a request."""
        kind = kind_of(span)
        if self.always:
            return self.always
        if request.lane == "inline":
            # Ghost text goes on from the cursor and has to be there at once: its context is kept.
            return "fim"
        if request.mode not in WRITING:
            return self.judged.get(kind, "fim")
        if request.instruction.strip():
            forms = self.changed if is_change(request, span) else self.in_words
            return forms.get(kind, "asked")
        return self.plain.get(kind, "fim")


def is_change(request: InfillRequest, span: MaskSpan) -> bool:
    """Say whether what stands in a span is to be rewritten; blanks and markers are nothing."""
    shown = without_markers(span.text, request.hole_marker)
    return request.mode == "rewrite" and bool(shown.strip())


def kind_of(span: MaskSpan) -> Kind:
    """Return what a span is."""
    if span.single_line:
        return "line"
    return "body" if span.is_body else "lines"
