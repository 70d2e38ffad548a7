"""The base model's fill-in-the-middle prompt: one file as prefix and suffix, other files before it.

Which marks, and in which order, is the base's (`marks`). A base with a mark for files shows others
behind it, each under its name; one without is shown them as the head of the file, each behind a
comment with its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.text.marks import Marks, find_marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.text.tokenizer import CodeTokenizer


class FimTemplate:
    """Lays text out as the base was trained to fill it.

    Args:
        tokenizer: of the base.
        marks: of the base; None finds them by their names.

    Raises:
        ModelLoadFailed: the base has no marks; see `find_marks`.
    """

    def __init__(self, tokenizer: CodeTokenizer, marks: Marks | None = None) -> None:
        self.tokenizer = tokenizer
        self.marks = find_marks(tokenizer) if marks is None else marks
        self.suffix_id = self.marks.suffix_id
        #: Where a span ends.
        self.end_id = self.marks.end_id
        #: Every token that ends a span: the base says it in several ways, and none is text.
        self.end_ids = tokenizer.control_ids - {self.marks.mask_id}
        #: Stands for a mask on a canvas. No text encodes to it, and the base never says it.
        self.mask_id: int = self.marks.mask_id
        self.lead = self.marks.lead

    def lay_out(
        self, prefix: Sequence[int], suffix: Sequence[int], others: Sequence[int] = ()
    ) -> list[int]:
        """Return the prompt [n] whose continuation is the span.

        Args:
            prefix: [n_prefix] what stands before it.
            suffix: [n_suffix] what stands behind.
            others: [n_others] other files, of `lay_out_file`, and `open_file` behind them.
        """
        marks = self.marks
        if marks.file_id is None:
            prefix, others = [*others, *prefix], ()
        before, behind = [marks.prefix_id, *prefix], [marks.suffix_id, *suffix]
        parts = (behind, before) if marks.is_suffix_first else (before, behind)
        return [*marks.start_ids, *others, *parts[0], *parts[1], marks.middle_id]

    def before_span(self, context: list[int]) -> list[int]:
        """Return of a prompt [n] what stands before the span, from left to right."""
        at = context.index(self.suffix_id)
        if not self.marks.is_suffix_first:
            return context[:at]
        return context[:at] + context[context.index(self.marks.prefix_id, at) : -1]

    def tail_start(self, context: list[int]) -> int | None:
        """Return where in a prompt the suffix begins; None where it comes first."""
        has_tail = self.suffix_id in context and not self.marks.is_suffix_first
        return context.index(self.suffix_id) if has_tail else None

    def open_file(self, path: str) -> list[int]:
        """Return the name of the file being edited [n], between other files and the prompt."""
        return self._named(path, "")

    def lay_out_file(self, path: str, text: str) -> list[int]:
        """Return another file of the repository [n], to stand before the prompt."""
        return self._named(path, f"{text}\n")

    def _named(self, path: str, text: str) -> list[int]:
        if self.marks.file_id is None:
            return self.tokenizer.encode(f"# {path}\n{text}")
        return [self.marks.file_id, *self.tokenizer.encode(f"{path}\n{text}")]
