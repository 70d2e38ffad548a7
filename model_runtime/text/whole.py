"""Request to canvas, for families that see the whole file at once.

There is no prompt: the text before and behind a span stands on the canvas as it stands in the file,
as much of it as is nearest, and the span is a run of masks between. It is as long as the fill: how
long that is says the model, before or while it fills. Asked in words, such a model is given the
chat prompt, and behind the span what closes the answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from model_runtime.text.layout import N_BEHIND, CanvasLayout
from model_runtime.text.window import head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import InfillRequest, MaskSpan
    from model_runtime.text.laid_out import Frame
    from model_runtime.text.tokenizer import CodeTokenizer


class WholeFile:
    """The file as it stands; other files before it, each behind a comment with its name.

    Args:
        tokenizer: of the family.
        mask_id: of the family, None for one without.
        end_id: ends a text.
        end_ids: every token that may.
    """

    lead = ""

    def __init__(
        self, tokenizer: CodeTokenizer, mask_id: int | None, end_id: int, end_ids: frozenset[int]
    ) -> None:
        self.tokenizer = tokenizer
        self.mask_id = mask_id
        self.end_id, self.end_ids = end_id, end_ids

    def lay_out(
        self, prefix: Sequence[int], suffix: Sequence[int], others: Sequence[int] = ()
    ) -> list[int]:
        """Return what stands before a span [n], at least one token."""
        del suffix
        return [*others, *prefix] or [self.end_id]

    def before_span(self, context: list[int]) -> list[int]:
        """Return all of it."""
        return context

    def tail_start(self, context: list[int]) -> None:
        """Nothing that follows a span stands before it."""

    def open_file(self, path: str) -> list[int]:
        """See `Template.open_file`."""
        return self.lay_out_file(path, "")[:-1]

    def lay_out_file(self, path: str, text: str) -> list[int]:
        """See `Template.lay_out_file`."""
        return self.tokenizer.encode(f"# {path}\n{text}\n")


class WholeLayout(CanvasLayout):
    """Lays requests out between what stands before and behind; see `CanvasLayout`."""

    is_sized: ClassVar[bool] = True

    def _framed(self, request: InfillRequest, span: MaskSpan, prefix: str, suffix: str) -> Frame:
        """Return what stands around a span: where an answer is begun, what closes it, too."""
        frame = super()._framed(request, span, prefix, suffix)
        if frame.behind or self.form_of(request, span) == "fim":
            return replace(frame, end=[])
        return replace(frame, end=[], behind=[*frame.end, self.template.end_id])

    def surroundings(
        self, request: InfillRequest, prefix: str, suffix: str
    ) -> tuple[list[int], list[int]]:
        """Return what stands before a span and behind it, as much as fits."""
        before, after, others = self._nearest(request, prefix, suffix)
        return self.template.lay_out(before, (), others), list(after)

    def lay_out_plain(
        self, request: InfillRequest, alternatives: Sequence[Sequence[str]]
    ) -> tuple[list[int], list[list[int]], list[int]]:
        """Lay alternatives out as parts of the file; see `CanvasLayout.lay_out_plain`."""
        context, texts, _ = super().lay_out_plain(request, alternatives)
        encode, decode = self.template.tokenizer.encode, self.template.tokenizer.decode
        judged = decode(encode(head(request.suffix, N_BEHIND))[:N_BEHIND])
        _, behind = self.surroundings(request, request.prefix, request.suffix[len(judged) :])
        return context, texts, behind
