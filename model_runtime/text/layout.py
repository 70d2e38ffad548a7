"""Request to canvas and back, for the default family.

The context is the base's own fill-in-the-middle prompt, other files of the repository before it;
behind it stands the span, every position a mask, as long as the fill may get. It ends where the
canvas says so: at an end token, or at the first line end where one line was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Literal

import torch

from model_runtime.decoding.canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from model_runtime.protocol import ContextFile, InfillRequest, MaskSpan
    from model_runtime.text.fim import FimTemplate

#: Tokens of a span that the request sets no bound for.
MAX_TOKENS_ONE_LINE = 64
MAX_TOKENS_MANY_LINES = 192
#: Share of the context that may be suffix, and share that may be other files.
SUFFIX_SHARE = 0.3
OTHER_FILES_SHARE = 0.4
#: Masks shown at most behind the settled text of a draft.
MASKS_SHOWN = 8


@dataclass(frozen=True)
class LaidOut:
    """A canvas and where its span stands.

    Args:
        canvas: context given, span masked.
        span_start: first position of the span; it reaches to the canvas's end.
        single_line: the fill ends at the first line end.
    """

    canvas: Canvas
    span_start: int
    single_line: bool


@dataclass(frozen=True)
class Fill:
    """What stands in a span."""

    text: str
    #: "closed" when the canvas said where the span ends, "length" when it ran out of positions.
    finish: Literal["closed", "length"]
    #: Tokens of the text, its end included.
    token_ids: list[int]


class CanvasLayout:
    """Lays requests out.

    Args:
        template: the base's prompt.
        max_context_tokens: what is farther from the span is cut.
    """

    def __init__(self, template: FimTemplate, max_context_tokens: int) -> None:
        self.template = template
        self._max_context_tokens = max_context_tokens

    def lay_out(self, request: InfillRequest, span: MaskSpan, prefix: str, suffix: str) -> LaidOut:
        """Lay one span of a request out.

        Args:
            request: the files it may look at.
            span: how long it may get.
            prefix: the file up to the span.
            suffix: the file behind it.
        """
        encode, budget = self.template.tokenizer.encode, self._max_context_tokens
        after = encode(_head(suffix, budget))
        before = encode(_tail(prefix, budget))
        n_after = min(len(after), max(int(budget * SUFFIX_SHARE), budget - len(before)))
        before = before[max(0, len(before) - (budget - n_after)) :]
        n_free = budget - n_after - len(before)
        others = self._lay_out_others(
            request.context, min(n_free, int(budget * OTHER_FILES_SHARE)), request.path
        )
        context = [*others, *self.template.lay_out(before, after[:n_after])]
        n_open = span.max_tokens or (
            MAX_TOKENS_ONE_LINE if span.single_line else MAX_TOKENS_MANY_LINES
        )
        token_ids = torch.tensor(context + [self.template.mask_id] * n_open)
        given = torch.arange(len(token_ids)) < len(context)
        canvas = Canvas(token_ids, given, self.template.mask_id)
        return LaidOut(canvas, len(context), span.single_line)

    def is_closed(self, laid_out: LaidOut) -> bool:
        """Say whether the settled text already holds the span's end."""
        return self._end(laid_out, self._settled(laid_out)) is not None

    def read(self, laid_out: LaidOut) -> Fill:
        """Read the span: its settled text up to its end."""
        settled = self._settled(laid_out)
        end = self._end(laid_out, settled)
        kept = settled if end is None else settled[:end]
        text = self._one_line(laid_out, self.template.tokenizer.decode(self._content(kept)))
        return Fill(text, "length" if end is None else "closed", kept)

    def draft(self, laid_out: LaidOut, mark: str) -> str:
        """Show the canvas as it stands: masks between and behind the settled text as `mark`."""
        shown, n_masks = "", 0
        for is_mask, run in groupby(self._up_to_end(laid_out), self.template.mask_id.__eq__):
            token_ids = list(run)
            shown += mark * n_masks
            n_masks = len(token_ids) if is_mask else 0
            shown += "" if is_mask else self.template.tokenizer.decode(token_ids)
        shown += mark * min(n_masks, MASKS_SHOWN)
        return self._one_line(laid_out, shown)

    def committed(self, laid_out: LaidOut) -> str:
        """Return the settled text from the span's start up to its first mask."""
        return self.read(laid_out).text

    def _lay_out_others(self, files: Sequence[ContextFile], budget: int, path: str) -> list[int]:
        """Lay other files out, nearest to the span first served, each whole or not at all."""
        laid_out: list[list[int]] = []
        for file in files:
            one = self.template.lay_out_file(file.path, file.text)
            if len(one) <= budget:
                laid_out.append(one)
                budget -= len(one)
        if not laid_out:
            return []
        here = self.template.open_file(path)
        return [token_id for one in reversed(laid_out) for token_id in one] + here

    def _up_to_end(self, laid_out: LaidOut) -> Iterator[int]:
        token_ids: list[int] = laid_out.canvas.token_ids[laid_out.span_start :].tolist()
        return takewhile(lambda token_id: token_id not in self.template.end_ids, token_ids)

    def _settled(self, laid_out: LaidOut) -> list[int]:
        """Return the span's committed tokens up to the first that is not."""
        span = slice(laid_out.span_start, None)
        committed: Tensor = laid_out.canvas.committed[span]
        n_settled = int(committed.int().cumprod(0).sum())
        token_ids: list[int] = laid_out.canvas.token_ids[span][:n_settled].tolist()
        return token_ids

    def _end(self, laid_out: LaidOut, settled: list[int]) -> int | None:
        """Return how many of the settled tokens the span has, its end included; None if open."""
        for index, token_id in enumerate(settled):
            if token_id in self.template.end_ids:
                return index + 1
            if laid_out.single_line and "\n" in self.template.tokenizer.decode([token_id]):
                return index + 1
        return None

    def _content(self, token_ids: list[int]) -> list[int]:
        return [token_id for token_id in token_ids if token_id not in self.template.end_ids]

    def _one_line(self, laid_out: LaidOut, text: str) -> str:
        return text.split("\n", 1)[0] if laid_out.single_line else text


def _tail(text: str, n_tokens: int) -> str:
    """Return the end of a text, more than enough for so many tokens of source code."""
    return text[-_CHARACTERS_PER_TOKEN * n_tokens :]


def _head(text: str, n_tokens: int) -> str:
    return text[: _CHARACTERS_PER_TOKEN * n_tokens]


#: No more than this is tokenised for each token that can be used; long texts cost time.
_CHARACTERS_PER_TOKEN = 12
