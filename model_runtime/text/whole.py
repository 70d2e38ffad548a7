"""Request to canvas and back, for families that see the whole file at once.

There is no prompt: the text before, between and behind the spans stands on the canvas as it stands
in the file, and each span is a run of masks. All of them are settled together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import InfillRequest
    from model_runtime.text.tokenizer import CodeTokenizer

#: Share of the context that may stand behind the last span.
SUFFIX_SHARE = 0.3


@dataclass(frozen=True)
class WholeText:
    """What is given around the spans.

    Args:
        pieces: [n_spans + 1] the token ids before, between and behind the spans.
        mask_id: fills the spans; for families without a mask, any token.
    """

    pieces: tuple[list[int], ...]
    mask_id: int | None

    @classmethod
    def of(
        cls,
        request: InfillRequest,
        tokenizer: CodeTokenizer,
        mask_id: int | None,
        max_tokens: int,
    ) -> WholeText:
        """Encode a request's file; what is farthest from the spans is cut.

        Args:
            request: its spans and what stands around them.
            tokenizer: the family's.
            mask_id: see the class.
            max_tokens: of all pieces together.

        Raises:
            BadRequest: two spans touch, or what stands between them is too long.
        """
        between = [tokenizer.encode(span.following) for span in request.spans[:-1]]
        if not all(between):
            raise BadRequest("two spans touch: there is nothing between them to tell them apart")
        n_left = max_tokens - sum(map(len, between))
        if n_left < 1:
            raise BadRequest(f"the spans are more than {max_tokens} tokens apart")
        behind = request.spans[-1].following + request.suffix
        suffix = tokenizer.encode(behind)[: int(n_left * SUFFIX_SHARE)]
        prefix = tokenizer.encode(request.prefix)[-(n_left - len(suffix)) :]
        return cls((prefix, *between, suffix), mask_id)

    def canvas(self, lengths: Sequence[int]) -> Canvas:
        """Lay the spans out with so many masks each [n_spans]."""
        token_ids: list[int] = []
        given: list[bool] = []
        for index, piece in enumerate(self.pieces):
            token_ids += piece
            given += [True] * len(piece)
            if index < len(lengths):
                token_ids += [self.mask_id or 0] * lengths[index]
                given += [False] * lengths[index]
        return Canvas(torch.tensor(token_ids), torch.tensor(given), self.mask_id)

    def read(self, canvas: Canvas, end_ids: frozenset[int]) -> list[list[int]]:
        """Return the tokens of each span, up to the first of `end_ids` in it.

        Spans may have grown or shrunk, to nothing even; what is given still tells them apart.
        """
        spans: list[list[int]] = []
        at = 0
        for piece in self.pieces[:-1]:
            at += len(piece)
            start = at
            while at < canvas.length and not bool(canvas.given[at]):
                at += 1
            span: list[int] = canvas.token_ids[start:at].tolist()
            end = next((i for i, token in enumerate(span) if token in end_ids), len(span))
            spans.append(span[:end])
        return spans
