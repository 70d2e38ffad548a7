"""A denoiser without weights: seeded tables, a little context, every kind of prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from model_runtime.decoding.canvas import Prediction
from model_runtime.models.base import Denoiser

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, PredictionKind, Query


class TableDenoiser(Denoiser):
    """Logits that depend on the position, on both neighbours, and on a seed.

    Args:
        vocab_size: columns, the mask's included.
        mask_id: None makes a family of uniform noise.
        seed: the tables'.
        kind: what is predicted. Scores are those of the same clean-token distribution.
        scale: standard deviation of the logits; larger is surer.
        mask_logit: what the mask's column gets: a denoiser may well predict a mask.
    """

    name: ClassVar[str] = "table"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits", "log_score"})
    ordered: ClassVar[bool] = True

    def __init__(
        self,
        vocab_size: int,
        mask_id: int | None,
        *,
        seed: int = 0,
        kind: PredictionKind = "logits",
        scale: float = 2.0,
        mask_logit: float | None = None,
    ) -> None:
        self.vocab_size = vocab_size
        self.mask_id = mask_id
        self.max_length = 256
        self.device = torch.device("cpu")
        self.queries: list[Query] = []
        self._kind: PredictionKind = kind
        self._mask_logit = mask_logit
        rng = torch.Generator().manual_seed(seed)
        self._own = torch.randn(self.max_length, vocab_size, generator=rng) * scale
        self._left = torch.randn(vocab_size, vocab_size, generator=rng) * scale
        self._right = torch.randn(vocab_size, vocab_size, generator=rng) * scale

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Look the rows up."""
        del cache
        self.queries.append(query)
        views = self._views(canvas, query)
        rows = torch.arange(len(query.positions))
        left = views[rows, (query.positions - 1).clamp_min(0)]
        right = views[rows, (query.positions + 1).clamp_max(canvas.length - 1)]
        logits = self._own[query.positions] + self._left[left] + self._right[right]
        if self.mask_id is not None and self._mask_logit is not None:
            logits[:, self.mask_id] = self._mask_logit
        if self._kind == "logits":
            return Prediction("logits", logits)
        return Prediction("log_score", self._score(logits, views[rows, query.positions], query))

    def _views(self, canvas: Canvas, query: Query) -> Tensor:
        """Return [n_rows, length]: the canvas as each row sees it."""
        views = canvas.token_ids.repeat(len(query.positions), 1)
        if query.visible is None:
            return views
        order = torch.arange(canvas.length) if query.order is None else query.order
        rank = torch.empty_like(order).scatter_(0, order, torch.arange(canvas.length))
        assert self.mask_id is not None
        return views.masked_fill(rank >= query.visible[:, None], self.mask_id)

    def _score(self, logits: Tensor, tokens: Tensor, query: Query) -> Tensor:
        """Return log p_t(y) / p_t(x) for the clean-token distribution softmax(logits)."""
        assert query.noise_level is not None, "a score needs a noise level"
        keep = torch.tensor(-query.noise_level).exp()
        if self.mask_id is not None:
            logits = logits.clone()
            logits[:, self.mask_id] = -torch.inf
            score = logits.log_softmax(-1) + (keep / (1 - keep)).log()
        else:
            marginal = keep * logits.softmax(-1) + (1 - keep) / self.vocab_size
            score = (marginal / marginal.gather(-1, tokens[:, None])).log()
        return score.scatter(-1, tokens[:, None], 0.0)
