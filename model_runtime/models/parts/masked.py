"""Predicting with a transformer whose positions are those of the canvas.

Three things tell these families apart: whether a row predicts its own position or the next one,
whether rows see everything or only the blocks up to their own, and the stack itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.caches.around import AroundCache
from model_runtime.caches.base import Rows
from model_runtime.caches.blocks import BlocksCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query, Region
from model_runtime.models.parts.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.transformer import Transformer

#: What fits families that look both ways, and families that look at blocks.
BIDIRECTIONAL_CACHES = frozenset({"none", "prefix", "dual", "delayed", "around"})
BLOCK_CAUSAL_CACHES = frozenset({"none", "blocks"})
#: Texts that one forward evaluates beside each other: each has its own copy of the kept rows.
BESIDE = 8


class MaskedTransformer(Family):
    """A masked diffusion model over one `Transformer`."""

    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    caches: ClassVar[frozenset[str]] = BIDIRECTIONAL_CACHES
    judges: ClassVar[bool] = True

    stack: Transformer
    mask_id: int
    #: Whether output row i is about position i + 1, as in the causal model it was trained from.
    shifted: bool = False

    @torch.no_grad()
    def forward(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Evaluate whole canvases; see `logits`."""
        return self.logits(token_ids, attention_mask)

    def logits(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Evaluate whole canvases, with gradients; see `align` for what the rows are about.

        Args:
            token_ids: [batch, length] int64.
            attention_mask: [batch, length], 0 at padding, which nothing attends to and no position
                is counted for; None for no padding. Output rows at padding mean nothing.

        Returns:
            [batch, length, vocab] float32 logits, as the model puts them out.
        """
        positions, allowed = self.places(token_ids, attention_mask)
        if self.block_length is not None:
            block = positions // self.block_length
            earlier = block[:, None, :] <= block[:, :, None]
            allowed = earlier if allowed is None else allowed & earlier
        hidden = self.stack.hidden(token_ids.to(self.device), positions, allowed, NoCache())
        return self.stack.head(hidden).float()

    def align(self, logits: Tensor) -> Tensor:
        """Reorder the rows of [..., length, vocab] so that row i is about position i.

        With a shift, no row is about position 0; the first one stands in, as in the references.
        """
        if not self.shifted:
            return logits
        return torch.cat((logits[..., :1, :], logits[..., :-1, :]), dim=-2)

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Predict whole canvases; see `Family.predict_all`."""
        del noise_level
        return self.align(self.forward(token_ids, attention_mask))

    @torch.no_grad()
    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the rows asked for, and those that a cache does not have; see `Denoiser`."""
        self.check_length(canvas)
        asked = query.positions.to(self.device)
        if self.shifted:
            asked = (asked - 1).clamp_min(0)
        rows = self._rows(canvas, asked)
        fed = cache.feed(rows)
        self.count(cache, len(fed))
        allowed = None
        if self.block_length is not None:
            every = torch.arange(len(rows), device=self.device)
            allowed = every < rows.horizon[fed, None]
        hidden = self.stack.hidden(rows.token_ids[None, fed], fed[None], allowed, cache)
        chosen = torch.searchsorted(fed, asked)
        logits = self.stack.head(hidden[0, chosen]).float()
        return Prediction("logits", logits.to(query.positions.device))

    def new_cache(self) -> Cache:
        """Return a cache of finished blocks, or one of what stands around the open positions."""
        return AroundCache() if self.block_length is None else BlocksCache()

    @torch.no_grad()
    def predict_between(
        self,
        context: list[int],
        regions: Sequence[Region],
        behind: Sequence[int],
        cache: Cache,
        check: Callable[[], None] = lambda: None,
    ) -> list[Tensor]:
        """Predict several texts in one place over the same kept rows; see `Family`.

        What stands around them is encoded with the first of them in between, once; then a forward
        has the rows of up to `BESIDE` of the texts, and no others.
        """
        if not isinstance(cache, AroundCache):
            return super().predict_between(context, regions, behind, cache, check)
        before, after = torch.tensor(context), torch.tensor(behind, dtype=torch.long)
        if (n_between := cache.n_between(before, after)) is None:
            check()
            between = torch.tensor(regions[0].token_ids, dtype=torch.long)
            n_between = len(between)
            self._encode(torch.cat((before, between, after)), len(before), n_between, cache)
        # The row that is about a text's first token stands before it.
        n_lead = min(len(before), int(self.shifted))
        found: list[Tensor] = []
        for start in range(0, len(regions), BESIDE):
            check()
            group = regions[start : start + BESIDE]
            fed = [[*context[len(before) - n_lead :], *one.token_ids] for one in group]
            n_more = torch.tensor([len(one.token_ids) - n_between for one in group])
            beside = cache.beside(len(before) - n_lead, len(after), n_more.to(self.device))
            hidden = self._hidden_beside(fed, len(before) - n_lead, len(after), beside, cache)
            for one, rows in zip(group, hidden, strict=True):
                asked = torch.tensor(one.places, dtype=torch.long) + n_lead - int(self.shifted)
                logits = self.stack.head(rows[asked.clamp_min(0).to(self.device)])
                found.append(logits.float().cpu())
        return found

    def _encode(self, token_ids: Tensor, start: int, n_open: int, cache: AroundCache) -> None:
        """Compute the rows that a cache lacks of a canvas, none of which is asked about."""
        given = torch.ones_like(token_ids, dtype=torch.bool)
        given[start : start + n_open] = False
        canvas = Canvas(token_ids, given, self.mask_id)
        self.check_length(canvas)
        cache.align(token_ids, slice(start, start + n_open))
        rows = self._rows(canvas, torch.arange(0, device=self.device))
        fed = cache.feed(rows)
        self.count(cache, len(fed))
        self.stack.hidden(rows.token_ids[None, fed], fed[None], None, cache)

    def _hidden_beside(
        self, fed: list[list[int]], start: int, n_behind: int, beside: Cache, counted: Cache
    ) -> Tensor:
        """Run the rows of several texts [batch, n_fed, width], the shorter ones padded."""
        n_fed = max(map(len, fed))
        n_each = torch.tensor([len(one) for one in fed], device=self.device)
        padded = torch.tensor([[*one, *[0] * (n_fed - len(one))] for one in fed])
        every = torch.arange(n_fed, device=self.device)
        self.count(counted, int(n_each.sum()))
        allowed = None
        if int(n_each.min()) < n_fed:
            n_rows = start + n_fed + n_behind
            allowed = torch.ones(len(fed), n_fed, n_rows, dtype=torch.bool, device=self.device)
            allowed[:, :, start : start + n_fed] = (every < n_each[:, None])[:, None]
        positions = (start + every).expand(len(fed), -1)
        return self.stack.hidden(padded.to(self.device), positions, allowed, beside)

    def _rows(self, canvas: Canvas, asked: Tensor) -> Rows:
        """Lay out the canvas, as far as the rows asked for can see."""
        horizon = torch.full((canvas.length,), canvas.length, device=self.device)
        if self.block_length is not None:
            ends = torch.arange(canvas.length, device=self.device) // self.block_length + 1
            horizon = (ends * self.block_length).clamp_max(canvas.length)
        n_rows = int(horizon[asked].max()) if len(asked) else canvas.length
        return Rows(
            token_ids=canvas.token_ids[:n_rows].to(self.device),
            positions=torch.arange(n_rows, device=self.device),
            horizon=horizon[:n_rows],
            settled=canvas.committed[:n_rows].to(self.device),
            needed=torch.zeros(n_rows, dtype=torch.bool, device=self.device).index_fill(
                0, asked, value=True
            ),
            turn=self.stack.turn,
        )
