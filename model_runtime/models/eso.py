"""Eso-LM: rows in decoding order, so that masked diffusion has an exact key/value cache.

Sahoo et al. 2025, arXiv 2506.01928. Everything runs in decoding order: clean tokens first, then
masks; a row sees the clean tokens and the masks up to its own, and knows places by rotary position
alone. Version B is causal throughout; version A lets the clean tokens of the diffusion phase see
each other both ways, which leaves little for a cache to keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from model_runtime.caches.base import Rows
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query
from model_runtime.models.parts.config import Config
from model_runtime.models.parts.dit import Dit, DitShape
from model_runtime.models.parts.family import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights


class AlgoConfig(Config, frozen=True, kw_only=True):
    """How it was trained, as far as the forward depends on it."""

    diffusion_attn_mode: Literal["causal", "mixed2"]
    sequential_attn_mode: Literal["causal", "mixed"]
    #: Share of the tokens that the diffusion phase decodes.
    alpha_0: float = 1.0

    inert: ClassVar[frozenset[str]] = frozenset(
        {
            "T", "backbone", "batch_split", "diffusion_shuffle", "ignore_bos", "loss_type", "name",
            "sequential_shuffle", "subs_masking",
        }
    )  # fmt: skip
    only: ClassVar[dict[str, object]] = {
        "causal_attention": False,
        "parameterization": "subs",
        "time_conditioning": False,
    }


class StackConfig(Config, frozen=True, kw_only=True):
    """The transformer: with keys like SEDD's, but each family refuses what only the other has."""

    hidden_size: int
    cond_dim: int
    length: int
    n_blocks: int
    n_heads: int

    inert: ClassVar[frozenset[str]] = frozenset({"dropout", "name", "scale_by_sigma", "type"})
    only: ClassVar[dict[str, object]] = {"tie_word_embeddings": False}


class EsoConfig(Config, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    algo: AlgoConfig
    model: StackConfig
    vocab_size: int
    mask_index: int

    inert: ClassVar[frozenset[str]] = frozenset({"attn", "model_type", "noise", "sampling"})


class Eso(Family):
    """A masked diffusion model in decoding order."""

    name: ClassVar[str] = "eso"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    caches: ClassVar[frozenset[str]] = frozenset({"none", "eso"})
    ordered: ClassVar[bool] = True
    judges: ClassVar[bool] = True
    architectures: ClassVar[frozenset[str]] = frozenset({"EsoLM"})
    config_type: ClassVar[type[Config]] = EsoConfig

    mask_id: int

    def __init__(self, config: EsoConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        shape = DitShape(
            n_blocks=config.model.n_blocks,
            width=config.model.hidden_size,
            n_heads=config.model.n_heads,
            cond_width=config.model.cond_dim,
            vocab_size=config.vocab_size,
        )
        self.stack = Dit(weights, shape, "backbone.")
        self.vocab_size = config.vocab_size
        self.mask_id = config.mask_index
        self.max_length = config.model.length
        self._mixed = config.algo.diffusion_attn_mode == "mixed2"
        self._sequential_mixed = config.algo.sequential_attn_mode == "mixed"

    @classmethod
    def recognises(cls, values: Mapping[str, Any]) -> bool:
        """Whether a configuration is Eso-LM's: it names no architecture, but its algorithm."""
        algo = values.get("algo")
        named = isinstance(algo, dict) and algo.get("name") == "esolm"
        return named or super().recognises(values)

    @torch.no_grad()
    def forward(self, token_ids: Tensor, order: Tensor, clean_ids: Tensor | None = None) -> Tensor:
        """Evaluate whole canvases that stand in decoding order.

        Args:
            token_ids: [batch, length] int64, clean tokens first, then masks.
            order: [batch, length] int64, the canvas position of each.
            clean_ids: [batch, length] int64, the clean text in the same order: the sequential
                phase, where each row sees itself and the clean tokens before it. None: the
                diffusion phase.

        Returns:
            [batch, length, vocab] float32 logits.
        """
        token_ids, order = token_ids.to(self.device), order.to(self.device)
        length = token_ids.shape[1]
        allowed = self.allowed(token_ids, sequential=clean_ids is not None)
        if clean_ids is not None:
            token_ids = torch.cat((token_ids, clean_ids.to(self.device)), dim=1)
            order = torch.cat((order, order), dim=1)
        hidden = self._hidden(token_ids, order, allowed, NoCache())
        return self.stack.head(hidden[:, :length])

    def allowed(self, token_ids: Tensor, *, sequential: bool) -> Tensor:
        """Return what rows see in training: [batch, n, n] bool (section 3 and figure 2).

        Args:
            token_ids: as for `forward`.
            sequential: for that phase, where n is twice the length.
        """
        length = token_ids.shape[1]
        rank = torch.arange(length, device=token_ids.device)
        row, column = rank[:, None], rank[None, :]
        n_clean = (token_ids != self.mask_id).sum(dim=1)[:, None, None]
        both_clean = (row < n_clean) & (column < n_clean)
        mixed = self._sequential_mixed if sequential else self._mixed
        causal: Tensor = (column <= row) | (both_clean & mixed)
        if not sequential:
            return causal
        batch = (len(token_ids), -1, -1)
        noisy = torch.cat(((row == column).expand(batch), (column < row).expand(batch)), dim=2)
        return torch.cat((noisy, torch.cat((torch.zeros_like(causal), causal), dim=2)), dim=1)

    @torch.no_grad()
    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the rows asked for in decoding order; see `Denoiser` and `Query`.

        A row about a position never sees the token there, even where `visible` would include it.
        Without an order, what is not masked comes first.
        """
        self.check_length(canvas)
        token_ids = canvas.token_ids.to(self.device)
        order, visible = self._order(token_ids, query)
        rank = torch.empty_like(order).scatter(0, order, torch.arange(len(order)).to(order))
        asked = rank[query.positions.to(self.device)]
        rows, allowed, row_of = self._lay_out(token_ids, order, asked, visible.minimum(asked))
        fed = cache.feed(rows)
        self.count(cache, len(fed))
        hidden = self._hidden(
            rows.token_ids[None, fed], rows.positions[None, fed], allowed[None, fed], cache
        )
        logits = self.stack.head(hidden[0, torch.searchsorted(fed, row_of)])
        return Prediction("logits", logits.to(query.positions.device))

    def _order(self, token_ids: Tensor, query: Query) -> tuple[Tensor, Tensor]:
        """Return the decoding order [length], and [n_rows]: how many of it each row sees clean."""
        is_mask = token_ids == self.mask_id
        order = query.order
        if order is None:
            order = is_mask.long().argsort(stable=True)
            if query.visible is not None:
                order = torch.arange(len(token_ids))
        order = order.to(self.device)
        visible = query.visible
        if visible is None:
            visible = is_mask[order].cumsum(dim=0).eq(0).sum().expand(len(query.positions))
        return order, visible.to(self.device)

    def _lay_out(
        self, token_ids: Tensor, order: Tensor, asked: Tensor, visible: Tensor
    ) -> tuple[Rows, Tensor, Tensor]:
        """Lay out the clean tokens, then for each number of visible ones its masks.

        Returns:
            the rows, [n_rows, n_rows] bool what each sees, and [n_asked] the row of each answer.
        """
        n_clean = int(visible.max())
        # Per row: its rank in the order, and how many clean rows it sees; masks see their group.
        ranks = [torch.arange(n_clean, device=self.device)]
        seen = [ranks[0] + 1]
        if self._mixed:
            seen = [seen[0].clamp_min(int(visible.min()))]
        row_of = torch.empty_like(asked)
        n_rows = n_clean
        for start in visible.unique().tolist():
            in_group = visible == start
            end = int(asked[in_group].max()) + 1
            ranks.append(torch.arange(start, end, device=self.device))
            seen.append(torch.full_like(ranks[-1], start))
            row_of[in_group] = n_rows + asked[in_group] - start
            n_rows += end - start
        rank, limit = torch.cat(ranks), torch.cat(seen)
        clean = torch.arange(n_rows, device=self.device) < n_clean
        same_group = ~clean & ~clean[:, None] & (limit == limit[:, None])
        allowed = (clean & (rank < limit[:, None])) | (same_group & (rank <= rank[:, None]))
        positions = order[rank]
        rows = Rows(
            token_ids=torch.where(clean, token_ids[positions], self.mask_id),
            positions=positions,
            horizon=torch.where(clean, limit, n_rows + 1),
            settled=clean,
            needed=torch.zeros_like(clean).index_fill(0, row_of, value=True),
        )
        return rows, allowed, row_of

    def _hidden(
        self, token_ids: Tensor, positions: Tensor, allowed: Tensor, cache: Cache
    ) -> Tensor:
        level = torch.zeros(len(token_ids), device=self.device)
        return self.stack.hidden(token_ids, positions, level, allowed, cache)
