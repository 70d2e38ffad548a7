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

    from model_runtime.protocol import Stretch
    from model_runtime.text.chance import Chance


@dataclass(frozen=True)
class LaidOut:
    """A canvas and where its span stands.

    Args:
        canvas: context given, span masked.
        span_start: first position of the span; it reaches to the canvas's end.
        ending: where the fill is known to end, whatever the canvas says.
        blanks: what the fill begins with though it stands before the span in the file.
        half: the same, but the fill is made to begin with it; see `healing`.
        opening: what it is made to begin with behind that, and keeps; see `indentation`.
        n_end: tokens behind a text to start from that say where it ends.
        known: how likely the tokens are that the span begins with, given; see `resumed`.
        ahead: the token that the base would say behind these, and how likely it is; None where not
            known.
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
        span: list[int] = self.canvas.token_ids[self.span_start :].tolist()
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
        token_ids = torch.tensor([*self.context, *head_ids, *[*text_ids, *masks][:n_open]])
        given = torch.arange(len(token_ids)) < len(token_ids) - n_open
        canvas = Canvas(token_ids, given, self.canvas.mask_id)
        return replace(self, canvas=canvas, known=tuple(known))

    def restarted(self, text_ids: Sequence[int]) -> LaidOut:
        """Return the same canvas with nothing settled, and with `text_ids` to start from."""
        n_open = self.canvas.length - self.span_start
        masks = [self.canvas.mask_id or 0] * n_open
        token_ids = [*self.context, *[*text_ids, *masks][:n_open]]
        canvas = Canvas(torch.tensor(token_ids), self.canvas.given, self.canvas.mask_id)
        return replace(self, canvas=canvas)


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
