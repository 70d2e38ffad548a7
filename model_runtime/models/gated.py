"""The forward pass of the canvas family: a base model with a gated low-rank adapter.

One forward feeds base rows and canvas rows together. Base rows go through the unchanged base, so
they are the base model to the last bit; the adapter, and the learned mask embedding, act on the
canvas rows behind them (gated low-rank adaptation, Samragh et al. 2025, arXiv 2507.11851). The same
code runs inference and training.

The rows of several requests can go through one forward: each keeps to its own cache, and has the
rows that it would have alone (`side_by_side`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.models.attention import attend_rows
from model_runtime.models.layers import Linear, Rotary, rms_norm, rotate
from model_runtime.models.side_by_side import SideBySide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.caches.base import Cache
    from model_runtime.models.adapter import Adapter, LowRank


@dataclass(frozen=True)
class BaseConfig:
    """Shape of the base model: Qwen2's, Qwen3's or Llama's."""

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    mlp_width: int
    rope_base: float
    norm_eps: float
    vocab_size: int
    max_length: int
    #: Positions are divided by it before heads turn.
    rope_scale: float = 1.0
    #: Whether queries and keys are normalised head by head, before they turn (Qwen3).
    head_norms: bool = False
    #: Whether each frequency has a factor of its own (Llama 3.1).
    has_rope_factors: bool = False


@dataclass(frozen=True)
class Layer:
    """One transformer block, its parallel projections fused."""

    attention_norm: Tensor
    #: width -> (n_heads + 2 n_kv_heads) * head_dim, laid out queries, keys, values.
    qkv: Linear
    out: Linear
    mlp_norm: Tensor
    #: width -> 2 * mlp_width, laid out gate, up.
    gate_up: Linear
    down: Linear
    #: [head_dim] each, or None.
    query_norm: Tensor | None = None
    key_norm: Tensor | None = None


@dataclass(frozen=True)
class Rows:
    """What one forward feeds: base rows first, canvas rows after them."""

    #: [n_rows] int64; negative is a mask: -k is the k-th mask of its run.
    token_ids: Tensor
    #: [n_rows] int64, of the token fed (the row predicts the next one).
    positions: Tensor
    #: [n_rows, n_kept + n_rows] bool: which kept and fed rows a row attends to.
    visible: Tensor
    #: The first `n_base` rows run through the unchanged base.
    n_base: int

    @property
    def n_causal(self) -> int:
        """How many of the first rows see all rows before them, and none behind."""
        return self.n_base


@dataclass(frozen=True)
class Feed:
    """One request's part of a forward."""

    rows: Rows
    cache: Cache


class GatedModel:
    """The forward pass, for inference and for training alike.

    Args:
        config: shape of the base.
        embedding: maps token ids [n] to [n, width].
        layers: the base's blocks.
        final_norm: [width].
        head: width -> vocab_size.
        mask_fallback_id: the token that stands for a mask while there is no adapter.
        rope_factors: see `Rotary`.
    """

    def __init__(
        self,
        config: BaseConfig,
        embedding: Embedding,
        layers: Sequence[Layer],
        final_norm: Tensor,
        head: Linear,
        mask_fallback_id: int = 0,
        rope_factors: Tensor | None = None,
    ) -> None:
        self.config = config
        #: Of activations, keys and values.
        self.dtype = embedding.dtype
        self.device = final_norm.device
        #: Who else goes through the model.
        self.side_by_side = SideBySide()
        self.adapter: Adapter | None = None
        #: The head's rows for the adapter's vocabulary.
        self.draft_head: Linear | None = None
        self.embedding = embedding
        self._layers = layers
        self._final_norm = final_norm
        self._head = head
        self._mask_fallback_id = mask_fallback_id
        self._rotary = Rotary(
            config.head_dim, config.rope_base, config.max_length, config.rope_scale, rope_factors
        )

    def attach(self, adapter: Adapter, draft_head: Linear) -> None:
        """Put an adapter on the canvas rows.

        Args:
            adapter: mask embedding and low-rank parts, in the dtype of the activations.
            draft_head: width -> len(adapter.vocabulary), the head's rows for that vocabulary.
        """
        self.adapter = adapter
        self.draft_head = draft_head
        # Where the logits go.
        self._vocabulary = adapter.vocabulary.cpu()

    def hidden(self, rows: Rows, cache: Cache) -> Tensor:
        """Run the fed rows and return [n_rows, width], normalised, ready for the head.

        The rows may stand on any device; the work is done on the model's. Requests that run side by
        side share the forward.
        """
        cache.n_forwards += 1
        cache.n_rows += len(rows.token_ids)
        return self.side_by_side.call(self.forward, Feed(rows, cache), for_all=True)

    def forward(self, feeds: Sequence[Feed]) -> list[Tensor]:
        """Run the rows of several requests at once; see `hidden`."""
        config = self.config
        n_query = config.n_heads * config.head_dim
        n_key = config.n_kv_heads * config.head_dim
        n_rows = [len(feed.rows.token_ids) for feed in feeds]
        cos, sin = self._rotary.tables(torch.cat([feed.rows.positions for feed in feeds]))
        tables = cos.to(self.device), sin.to(self.device)
        x = self._embed(torch.cat([feed.rows.token_ids for feed in feeds]).to(self.device))
        allowed = [self._additive(feed.rows.visible, x.dtype) for feed in feeds]
        canvas = _canvas_rows(feeds, self.device)
        adapter = None if canvas is None else self.adapter
        for index, layer in enumerate(self._layers):
            low_rank = adapter.layers[index] if adapter else (None, None, None, None)
            fed = rms_norm(x, layer.attention_norm, config.norm_eps)
            qkv = _gated(layer.qkv, low_rank[0], fed, canvas)
            queries, keys, values = torch.split(qkv, [n_query, n_key, n_key], dim=-1)
            queries, keys, values = (
                part.unflatten(-1, (-1, config.head_dim)) for part in (queries, keys, values)
            )
            if layer.query_norm is not None and layer.key_norm is not None:
                queries = rms_norm(queries, layer.query_norm, config.norm_eps)
                keys = rms_norm(keys, layer.key_norm, config.norm_eps)
            queries, keys = rotate(queries, tables), rotate(keys, tables)
            own = (queries.split(n_rows), keys.split(n_rows), values.split(n_rows))
            mixed = torch.cat(
                [
                    attend_rows(
                        q, *feed.cache.extend(index, k, v), mask, n_causal=feed.rows.n_causal
                    )
                    for feed, mask, q, k, v in zip(feeds, allowed, *own, strict=True)
                ]
            )
            x = x + _gated(layer.out, low_rank[1], mixed, canvas)
            fed = rms_norm(x, layer.mlp_norm, config.norm_eps)
            gate, up = _gated(layer.gate_up, low_rank[2], fed, canvas).chunk(2, dim=-1)
            x = x + _gated(layer.down, low_rank[3], functional.silu(gate) * up, canvas)
        return list(rms_norm(x, self._final_norm, config.norm_eps).split(n_rows))

    def logits(self, hidden: Tensor, is_base: Tensor) -> Tensor:
        """Return [n, vocab_size] float32, on the CPU, where canvas and sampler are.

        What a canvas row can't propose is -inf.

        Args:
            hidden: [n, width] normalised rows.
            is_base: [n] bool, on the CPU: which of them are base rows.
        """
        return self.side_by_side.call(self._logits, (hidden, is_base))

    def _logits(self, asked: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
        hidden = torch.cat([rows for rows, _ in asked])
        is_base = torch.cat([kind for _, kind in asked])
        n_rows = [len(rows) for rows, _ in asked]
        if self.adapter is None or self.draft_head is None or bool(is_base.all()):
            return list(self._head(hidden).float().cpu().split(n_rows))
        rows = torch.full((len(hidden), self.config.vocab_size), float("-inf"))
        # Which rows are which is known here: an index, unlike a mask, is nothing to wait for.
        base, drafted = is_base.nonzero().squeeze(1), (~is_base).nonzero().squeeze(1)
        if len(base):
            rows[base] = self._head(hidden[base.to(self.device)]).float().cpu()
        drafts = self.draft_head(hidden[drafted.to(self.device)]).float().cpu()
        rows[drafted[:, None], self._vocabulary] = drafts
        return list(rows.split(n_rows))

    def follow(self, hidden: Tensor, previous: Tensor) -> Tensor:
        """Return the logits [n, vocab_size] of canvas rows given the tokens before them.

        Args:
            hidden: [n, width] canvas rows.
            previous: [n] int64: the token in front of the position that each row predicts.

        Raises:
            ValueError: there is no adapter.
        """
        if self.adapter is None:
            raise ValueError("without an adapter no canvas row can follow a token")
        linked = self.adapter.link(hidden, self.embedding(previous.to(self.device)))
        return self.logits(linked, torch.zeros(len(previous), dtype=torch.bool))

    def turn(self, keys: Tensor, n_positions: int) -> Tensor:
        """Return keys [..., n, n_kv_heads, head_dim] as they are `n_positions` further on."""
        cos, sin = self._rotary.tables(torch.tensor([abs(n_positions)]))
        tables = cos.to(self.device), (sin if n_positions >= 0 else -sin).to(self.device)
        return rotate(keys, tables)

    def _additive(self, visible: Tensor, dtype: torch.dtype) -> Tensor:
        """Return a mask to add to scores."""
        allowed = torch.zeros(visible.shape, dtype=dtype, device=self.device)
        return allowed.masked_fill_(~visible.to(self.device), float("-inf"))

    def _embed(self, token_ids: Tensor) -> Tensor:
        is_mask = token_ids < 0
        if self.adapter is None:
            return self.embedding(torch.where(is_mask, self._mask_fallback_id, token_ids))
        masks = self.adapter.mask_embedding
        depth = (-1 - token_ids).clamp(0, len(masks) - 1)
        return torch.where(
            is_mask[:, None], masks[depth].to(self.dtype), self.embedding(token_ids.clamp_min(0))
        )


class Embedding:
    """Token embeddings, dense or as int8 with one scale a token.

    Args:
        weight: [vocab_size, width], floating or int8.
        scale: [vocab_size] float32 for int8, else None.
    """

    def __init__(self, weight: Tensor, scale: Tensor | None = None) -> None:
        self._weight = weight
        self._scale = scale
        #: Of the vectors.
        self.dtype = weight.dtype if scale is None else torch.float32

    def __call__(self, token_ids: Tensor) -> Tensor:
        """Map token ids [n] to [n, width]."""
        rows = self._weight[token_ids]
        return rows if self._scale is None else rows.float() * self._scale[token_ids, None]


def _canvas_rows(feeds: Sequence[Feed], device: torch.device) -> slice | Tensor | None:
    """Return which of the rows of a forward are canvas rows; None if there are none."""
    rows = [feed.rows for feed in feeds]
    if all(one.n_base == len(one.token_ids) for one in rows):
        return None
    if len(rows) == 1:
        return slice(rows[0].n_base, None)
    is_canvas = [torch.arange(len(one.token_ids)) >= one.n_base for one in rows]
    return torch.cat(is_canvas).nonzero().squeeze(1).to(device)


def _gated(
    linear: Linear, low_rank: LowRank | None, x: Tensor, canvas: slice | Tensor | None
) -> Tensor:
    """Apply a linear map to all rows and the adapter's part to those of the canvas."""
    y = linear(x)
    if low_rank is None:
        return y
    if isinstance(canvas, Tensor):
        return y.index_add_(0, canvas, low_rank(x[canvas]))
    if canvas == slice(0, None):
        return y + low_rank(x)
    y[canvas].add_(low_rank(x[canvas]))
    return y
