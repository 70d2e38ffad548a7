"""What an alternative makes of the document, and what speaks against it.

A text that is empty takes the place of no other, and a stub that of no body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.documents import LINE_END
from lsp_server.fill.edits import Replacement, apply_replacements, moved, to_replacements
from lsp_server.syntax.check import find_faults, find_new_faults
from lsp_server.syntax.languages import find_grammar
from lsp_server.syntax.whole import DOES_NOTHING, find_lacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.documents import Span
    from lsp_server.fill.infill import Plan
    from model_runtime.protocol import Alternative, Finished

#: What is said where the model gives back what stood there, and where it gives nothing.
UNCHANGED = "The model would change nothing."
NOTHING = "Nothing to suggest: the model has no text for this place, so it stays as it is."


@dataclass(frozen=True)
class Filled:
    """A plan and what the model made of it."""

    plan: Plan
    finished: Finished
    best: Alternative
    replacements: list[Replacement]
    #: Faults of syntax that the best alternative brings in, as spans of the new text.
    new_faults: list[Span]
    #: All faults of the new text.
    n_faults: int
    #: What each body that was filled as a whole lacks, in words.
    lacks_of: dict[int, list[str]]
    #: Spans for which there is no text: they stay as they are.
    left: frozenset[int]

    @property
    def lacks(self) -> list[str]:
        """What the bodies lack, together."""
        return [lack for lacks in self.lacks_of.values() for lack in lacks]

    @property
    def n_left(self) -> int:
        """How many spans stay as they are."""
        return len(self.left)

    @property
    def silence(self) -> str:
        """Why nothing is changed, for the user; empty where something is."""
        if self.replacements:
            return ""
        return NOTHING if self.n_left else UNCHANGED

    @property
    def no_judge(self) -> str:
        """Why syntax had no say, for the user; empty where it had."""
        language = self.plan.snapshot.language
        if find_grammar(language):
            return ""
        return f"Remask has no grammar for {language or 'this kind of file'}: syntax is unchecked."

    @property
    def warning(self) -> str:
        """What to look at twice, for the user; empty where nothing is known to be wrong."""
        if not self.new_faults:
            n_spans = len(self.plan.spans)
            left = f"{self.n_left} of {n_spans} places are left as they are: no text for them."
            lacks = f"The result may not be whole: {'; '.join(self.lacks)}. Look twice."
            return lacks if self.lacks else left if self.n_left and self.replacements else ""
        line = len(LINE_END.findall(self.text[: self.new_faults[0].start])) + 1
        return f"The result does not parse, from line {line} on; look twice."

    @property
    def text(self) -> str:
        """The whole document after the edit."""
        return apply_replacements(self.plan.snapshot.text, self.replacements)


def rank(plan: Plan, finished: Finished) -> list[Filled]:
    """Return the alternatives, those with the fewest faults first."""
    filled = (_filled(plan, finished, alternative) for alternative in finished.alternatives)
    return sorted(filled, key=n_faults)


def n_faults(filled: Filled) -> tuple[int, int, int, int]:
    """Return what speaks against a result, the gravest first."""
    return filled.n_left, len(filled.new_faults), filled.n_faults, len(filled.lacks)


def _filled(plan: Plan, finished: Finished, alternative: Alternative) -> Filled:
    filled = _with_left(plan, finished, alternative, _empty(plan, alternative))
    if plan.request.mode == "repair" or plan.request.instruction.strip():
        return filled
    # A stub in a body's place is no text for it, either.
    stubs = {index for index, lacks in filled.lacks_of.items() if DOES_NOTHING in lacks}
    return _with_left(plan, finished, alternative, filled.left | stubs) if stubs else filled


def _empty(plan: Plan, alternative: Alternative) -> frozenset[int]:
    """Return the spans whose text would go and nothing come: that is never done."""
    text = plan.snapshot.text
    pairs = zip(plan.spans, alternative.texts, strict=True)
    return frozenset(
        index
        for index, (span, new) in enumerate(pairs)
        if text[span.start : span.end].strip() and not new.strip()
    )


def _with_left(
    plan: Plan, finished: Finished, alternative: Alternative, left: frozenset[int]
) -> Filled:
    """Return what an alternative makes of the document, some spans left as they are."""
    snapshot = plan.snapshot
    texts = [
        snapshot.text[span.start : span.end] if index in left else _set_in(plan, index, text)
        for index, (span, text) in enumerate(zip(plan.spans, alternative.texts, strict=True))
    ]
    replacements = to_replacements(snapshot, plan.spans, texts)
    after = apply_replacements(snapshot.text, replacements)
    return Filled(
        plan=plan,
        finished=finished,
        best=alternative,
        replacements=replacements,
        new_faults=find_new_faults(snapshot.language, snapshot.text, after),
        n_faults=len(find_faults(snapshot.language, after)),
        lacks_of={} if plan.request.mode == "repair" else _lacks(plan, replacements, after, left),
        left=left,
    )


def _set_in(plan: Plan, index: int, text: str) -> str:
    """Return the text of a whole body that begins where the file has it begin.

    The model sees no other body there, and may guess how far in they stand: what is too much of its
    first line is too much of all.
    """
    blanks = text[: len(text) - len(text.lstrip(" \t"))]
    if not blanks or not plan.request.spans[index].is_body:
        return text
    lines, start = plan.snapshot.lines, plan.spans[index].start
    if plan.snapshot.text[lines.line(lines.position_at(start).line).start : start].strip():
        return text
    return "\n".join(line.removeprefix(blanks) for line in text.split("\n"))


def _lacks(
    plan: Plan, replacements: Sequence[Replacement], after: str, left: frozenset[int]
) -> dict[int, list[str]]:
    """Return what each whole body among the spans lacks, as it stands in the new document."""
    language, asked = plan.snapshot.language, plan.request.spans
    return {
        index: find_lacks(language, after, moved(span.start, replacements))
        for index, span in enumerate(plan.spans)
        if index not in left and asked[index].is_body
    }
