"""A span laid out on a canvas, and what was read from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.text.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.protocol import Stretch
    from model_runtime.text.chance import Chance


@dataclass(frozen=True)
class Frame:
    """What stands before a span and behind it, and what ends it; see `LaidOut`."""

    context: list[int]
    end: list[int]
    ending: Ending
    blanks: str = ""
    half: str = ""
    opening: str = ""
    behind: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class LaidOut:
    """A canvas and where its span stands.

    Args:
        canvas: context given, span masked.
        span_start: first position of the span.
        ending: where the fill is known to end, whatever the canvas says.
        blanks: what the fill begins with though it stands before the span in the file.
        half: the same, but the fill is made to begin with it; see `healing`.
        opening: what it is made to begin with behind that, and keeps; see `indentation`.
        n_end: tokens behind a text to start from that say where it ends.
        known: how likely the tokens are that the span begins with, given; see `resumed`.
        ahead: the token that the base would say behind these, and how likely it is; None where not
            known.
        n_behind: tokens behind the span, for families that see them there; the span reaches up to
            them, however the canvas grows.
        is_sized: whether the span is as long as the fill, or grows to be; else it is longer, and
            the canvas has to say where the fill ends.
        is_fitted: whether that length is found, or is that of a text.
        is_held: whether a part of a text is held: then no token ends it, and one that would is none
            of the text.
    """

    canvas: Canvas
    span_start: int
    ending: Ending = field(default_factory=Ending)
    blanks: str = ""
    half: str = ""
    opening: str = ""
    n_end: int = 0
    known: tuple[Chance, ...] = ()
    ahead: tuple[int, Chance] | None = None
    n_behind: int = 0
    is_sized: bool = False
    is_fitted: bool = False
    is_held: bool = False

    @property
    def span(self) -> slice:
        """Where the span stands."""
        return slice(self.span_start, self.canvas.length - self.n_behind)

    @property
    def n_open(self) -> int:
        """Positions of the span."""
        return self.canvas.length - self.n_behind - self.span_start

    @property
    def n_masks(self) -> int:
        """Positions of the span that are not given."""
        return int((~self.canvas.given[self.span]).sum())

    @property
    def behind(self) -> list[int]:
        """The tokens behind the span."""
        token_ids: list[int] = self.canvas.token_ids[self.span.stop :].tolist()
        return token_ids

    @property
    def lead(self) -> str:
        """What the fill is made to begin with."""
        return self.half + self.opening

    @property
    def context(self) -> list[int]:
        """The tokens before the span."""
        token_ids: list[int] = self.canvas.token_ids[: self.span_start].tolist()
        return token_ids

    @property
    def text_ids(self) -> list[int]:
        """The tokens that stand in the span before its first mask."""
        span: list[int] = self.canvas.token_ids[self.span].tolist()
        return list(takewhile(lambda token_id: token_id != self.canvas.mask_id, span))

    def resumed(
        self,
        head_ids: Sequence[int],
        n_open: int,
        text_ids: Sequence[int] = (),
        known: Sequence[Chance] = (),
    ) -> LaidOut:
        """Return a canvas whose span begins with `head_ids`, given, and goes on with masks.

        Args:
            head_ids: what the span begins with.
            n_open: positions behind it.
            text_ids: what stands at their start, to begin with.
            known: how likely `head_ids` are; none where that is not known.
        """
        masks = [self.canvas.mask_id or 0] * n_open
        before = [*self.context, *head_ids]
        token_ids = torch.tensor([*before, *[*text_ids, *masks][:n_open], *self.behind])
        given = torch.ones_like(token_ids, dtype=torch.bool)
        given[len(before) : len(before) + n_open] = False
        canvas = Canvas(token_ids, given, self.canvas.mask_id)
        return replace(self, canvas=canvas, known=tuple(known))

    def restarted(self, text_ids: Sequence[int]) -> LaidOut:
        """Return the same canvas with nothing settled, and with `text_ids` to start from."""
        masks = [self.canvas.mask_id or 0] * self.n_open
        token_ids = [*self.context, *[*text_ids, *masks][: self.n_open], *self.behind]
        canvas = Canvas(torch.tensor(token_ids), self.canvas.given, self.canvas.mask_id)
        return replace(self, canvas=canvas)

    def opened(self, text_ids: Sequence[int], places: Tensor) -> LaidOut:
        """Return a canvas of a text's length with some of its tokens masked, the rest given.

        Args:
            text_ids: [n] the text.
            places: [n_masked] int64, which of them.
        """
        token_ids = torch.tensor([*self.context, *text_ids, *self.behind])
        masked = torch.zeros_like(token_ids, dtype=torch.bool)
        masked[self.span_start + places] = True
        mask_id = self.canvas.mask_id or 0
        canvas = Canvas(token_ids.masked_fill(masked, mask_id), ~masked, self.canvas.mask_id)
        is_held = not bool(masked[self.span_start : self.span_start + len(text_ids)].all())
        return replace(self, canvas=canvas, is_fitted=True, is_held=self.is_sized and is_held)


@dataclass(frozen=True)
class Fill:
    """What stands in a span."""

    text: str
    #: "closed" when the canvas said where the span ends, "length" when it ran out of positions,
    #: "doubt" where it goes on less sure than was wanted.
    finish: Literal["closed", "length", "doubt"]
    #: Tokens of the text, its end included.
    token_ids: list[int]
    #: How likely each token is, and how sure the model is of the text; none where it is not known.
    chances: tuple[Chance, ...] = ()
    confidence: tuple[Stretch, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether it is known how sure the model is of the text; of no text it is."""
        return bool(self.confidence) or not self.text
