"""Canvas to text: what was settled, where it ends, what of it is shown."""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING

from model_runtime.text.laid_out import Fill
from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from model_runtime.text.laid_out import LaidOut
    from model_runtime.text.template import Template

#: Masks shown at most behind the settled text of a draft.
MASKS_SHOWN = 8


class CanvasReader:
    """Reads spans that were laid out.

    Args:
        template: how text is laid out.
    """

    def __init__(self, template: Template) -> None:
        self._template = template

    def is_closed(self, laid_out: LaidOut) -> bool:
        """Say whether the settled text already holds the span's end."""
        return self._end(laid_out, self._settled(laid_out)) is not None

    def read(self, laid_out: LaidOut) -> Fill:
        """Read the span: its settled text up to its end."""
        settled = self._settled(laid_out)
        end = self._end(laid_out, settled)
        kept = settled if end is None else settled[:end]
        text = self._shown(laid_out, self._template.tokenizer.decode_whole(self._content(kept)))
        is_whole = laid_out.is_sized and bool(laid_out.canvas.committed[laid_out.span].all())
        return Fill(text, "length" if end is None and not is_whole else "closed", kept)

    def draft(self, laid_out: LaidOut, mark: str) -> str:
        """Show the canvas as it stands: masks between and behind the settled text as `mark`."""
        shown, n_masks = "", 0
        mask_id = self._template.mask_id
        for is_mask, run in groupby(self._up_to_end(laid_out), lambda token: token == mask_id):
            token_ids = list(run)
            shown += mark * n_masks
            n_masks = len(token_ids) if is_mask else 0
            shown += "" if is_mask else self._template.tokenizer.decode(token_ids)
        shown += mark * min(n_masks, MASKS_SHOWN)
        return self._shown(laid_out, shown)

    def committed(self, laid_out: LaidOut) -> str:
        """Return the settled text from the span's start, as much as is sure to stay."""
        fill = self.read(laid_out)
        return laid_out.ending.firm(fill.text)

    def _up_to_end(self, laid_out: LaidOut) -> Iterator[int]:
        token_ids: list[int] = laid_out.canvas.token_ids[laid_out.span].tolist()
        if laid_out.is_held:
            token_ids = self._content(token_ids)
        return takewhile(lambda token_id: token_id not in self._template.end_ids, token_ids)

    def _settled(self, laid_out: LaidOut) -> list[int]:
        """Return the span's committed tokens up to the first that is not."""
        span = laid_out.span
        committed: Tensor = laid_out.canvas.committed[span]
        n_settled = int(committed.int().cumprod(0).sum())
        token_ids: list[int] = laid_out.canvas.token_ids[span][:n_settled].tolist()
        return self._content(token_ids) if laid_out.is_held else token_ids

    def _end(self, laid_out: LaidOut, settled: list[int]) -> int | None:
        """Return how many of the settled tokens the span has, its end included; None if open."""
        decode = self._template.tokenizer.decode_whole
        said = list(takewhile(lambda token_id: token_id not in self._template.end_ids, settled))
        text = decode(said)
        n_before = self._n_before(laid_out, text)
        if found := laid_out.ending.find(text[n_before:]):
            counts = range(1, len(said) + 1)
            return next(n for n in counts if len(decode(said[:n])) >= n_before + found[1])
        return None if len(said) == len(settled) else len(said) + 1

    def _content(self, token_ids: list[int]) -> list[int]:
        return [token_id for token_id in token_ids if token_id not in self._template.end_ids]

    def _shown(self, laid_out: LaidOut, text: str) -> str:
        """Return what of a canvas's text belongs into the file."""
        text = text[self._n_before(laid_out, text) :]
        found = laid_out.ending.find(text)
        return text[: found[0]] if found else text

    def _n_before(self, laid_out: LaidOut, text: str) -> int:
        """Return how much of a canvas's text stands before the span in the file."""
        n_half = n_shared(laid_out.half, text)
        return n_half + n_shared(laid_out.blanks, text[n_half:])
