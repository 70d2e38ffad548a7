"""The forward pass of the canvas family: a base model with a gated low-rank adapter.

One forward feeds base rows and canvas rows together. Base rows go through the unchanged base, so
they are the base model to the last bit; the adapter, and the learned mask embedding, act on the
canvas rows behind them (gated low-rank adaptation, Samragh et al. 2025, arXiv 2507.11851). The same
code runs inference and training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.models.attention import attend_rows
from model_runtime.models.layers import Linear, Rotary, rms_norm, rotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.caches.base import Cache


@dataclass(frozen=True)
class BaseConfig:
    """Shape of the base model (Qwen2)."""

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


@dataclass(frozen=True)
class LowRank:
    """x -> up(down(x)): what the adapter adds to one linear map, its scale folded into `up`."""

    #: [rank, n_in] and [n_out, rank].
    down: Tensor
    up: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] to [n, n_out]."""
        return functional.linear(functional.linear(x, self.down), self.up)


@dataclass(frozen=True)
class Link:
    """Corrects a canvas row once the token before its position is known.

    Masks that are drafted side by side don't know of each other's tokens. This small map tells a
    row, after the forward, which token was chosen in front of it; so a run of drafts hangs
    together (as in Hydra, Ankner et al. 2024, arXiv 2402.05109, section 3).
    """

    #: [rank, 2 * width] and [width, rank].
    down: Tensor
    up: Tensor

    def __call__(self, hidden: Tensor, previous: Tensor) -> Tensor:
        """Map rows [n, width] and the embeddings before them [n, width] to rows [n, width]."""
        both = torch.cat((_unit(hidden), _unit(previous).to(hidden.dtype)), dim=-1)
        inner = functional.silu(functional.linear(both, self.down))
        return hidden + functional.linear(inner, self.up)


#: The linear maps of a layer that carry a low-rank part, in the order of `Adapter.layers`.
ADAPTED = ("qkv", "out", "gate_up", "down")


@dataclass(frozen=True)
class Adapter:
    """What training adds to the base: a mask embedding and low-rank parts."""

    #: [n_depths, width]: what is fed for the first, second, … mask of a run; the last one serves
    #: all further masks.
    mask_embedding: Tensor
    #: One tuple a layer, in the order of `ADAPTED`.
    layers: Sequence[tuple[LowRank, LowRank, LowRank, LowRank]]
    #: [n_draft] int64, ascending: the tokens that a canvas row can propose. Base rows can propose
    #: any; proposing drafts from the common tokens alone spares most of the output projection.
    vocabulary: Tensor
    link: Link


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
    def is_causal(self) -> bool:
        """Whether every row sees all before it and nothing behind."""
        return self.n_base == len(self.token_ids)


class GatedModel:
    """The forward pass, for inference and for training alike.

    Args:
        config: shape of the base.
        embedding: maps token ids [n] to [n, width].
        layers: the base's blocks.
        final_norm: [width].
        head: width -> vocab_size.
        mask_fallback_id: the token that stands for a mask while there is no adapter.
    """

    def __init__(
        self,
        config: BaseConfig,
        embedding: Embedding,
        layers: Sequence[Layer],
        final_norm: Tensor,
        head: Linear,
        mask_fallback_id: int = 0,
    ) -> None:
        self.config = config
        #: Of activations, keys and values.
        self.dtype = embedding.dtype
        self.device = final_norm.device
        #: Forwards since it was made: what a request costs is the difference.
        self.n_forwards = 0
        self.adapter: Adapter | None = None
        #: The head's rows for the adapter's vocabulary.
        self.draft_head: Linear | None = None
        self.embedding = embedding
        self._layers = layers
        self._final_norm = final_norm
        self._head = head
        self._mask_fallback_id = mask_fallback_id
        self._rotary = Rotary(config.head_dim, config.rope_base, config.max_length)

    def attach(self, adapter: Adapter, draft_head: Linear) -> None:
        """Put an adapter on the canvas rows.

        Args:
            adapter: mask embedding and low-rank parts, in the dtype of the activations.
            draft_head: width -> len(adapter.vocabulary), the head's rows for that vocabulary.
        """
        self.adapter = adapter
        self.draft_head = draft_head

    def hidden(self, rows: Rows, cache: Cache) -> Tensor:
        """Run the fed rows and return [n_rows, width], normalised, ready for the head.

        The rows may stand on any device; the work is done on the model's.
        """
        self.n_forwards += 1
        config = self.config
        n_rows, n_base = len(rows.token_ids), rows.n_base
        n_query = config.n_heads * config.head_dim
        n_key = config.n_kv_heads * config.head_dim
        cos, sin = self._rotary.tables(rows.positions)
        tables = cos.to(self.device), sin.to(self.device)
        x = self._embed(rows.token_ids.to(self.device))
        allowed = torch.zeros(rows.visible.shape, dtype=x.dtype, device=self.device)
        allowed.masked_fill_(~rows.visible.to(self.device), float("-inf"))
        adapter = self.adapter if n_base < n_rows else None
        for index, layer in enumerate(self._layers):
            low_rank = adapter.layers[index] if adapter else (None, None, None, None)
            fed = rms_norm(x, layer.attention_norm, config.norm_eps)
            qkv = _gated(layer.qkv, low_rank[0], fed, n_base)
            queries, keys, values = torch.split(qkv, [n_query, n_key, n_key], dim=-1)
            queries = rotate(queries.unflatten(-1, (-1, config.head_dim)), tables)
            keys = rotate(keys.unflatten(-1, (-1, config.head_dim)), tables)
            values = values.unflatten(-1, (-1, config.head_dim))
            keys, values = cache.extend(index, keys, values)
            mixed = attend_rows(queries, keys, values, allowed, causal=rows.is_causal)
            x = x + _gated(layer.out, low_rank[1], mixed, n_base)
            fed = rms_norm(x, layer.mlp_norm, config.norm_eps)
            gate, up = _gated(layer.gate_up, low_rank[2], fed, n_base).chunk(2, dim=-1)
            x = x + _gated(layer.down, low_rank[3], functional.silu(gate) * up, n_base)
        return rms_norm(x, self._final_norm, config.norm_eps)

    def logits(self, hidden: Tensor, is_base: Tensor) -> Tensor:
        """Return [n, vocab_size] float32, on the CPU, where canvas and sampler are.

        What a canvas row can't propose is -inf.

        Args:
            hidden: [n, width] normalised rows.
            is_base: [n] bool, on the CPU: which of them are base rows.
        """
        if self.adapter is None or self.draft_head is None or bool(is_base.all()):
            return self._head(hidden).float().cpu()
        rows = torch.full((len(hidden), self.config.vocab_size), float("-inf"))
        if bool(is_base.any()):
            rows[is_base] = self._head(hidden[is_base.to(self.device)]).float().cpu()
        drafts = self.draft_head(hidden[~is_base.to(self.device)]).float().cpu()
        rows[(~is_base).nonzero(), self.adapter.vocabulary.cpu()] = drafts
        return rows

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

    def _embed(self, token_ids: Tensor) -> Tensor:
        is_mask = token_ids < 0
        if self.adapter is None:
            return self.embedding(torch.where(is_mask, self._mask_fallback_id, token_ids))
        masks = self.adapter.mask_embedding
        depth = (-1 - token_ids).clamp(0, len(masks) - 1)
        return torch.where(is_mask[:, None], masks[depth], self.embedding(token_ids.clamp_min(0)))


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


def _unit(x: Tensor) -> Tensor:
    """Scale each row of x [n, width] to unit root mean square."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-12)


def _gated(linear: Linear, low_rank: LowRank | None, x: Tensor, n_base: int) -> Tensor:
    """Apply a linear map to all rows and the adapter's part to the rows behind `n_base`."""
    y = linear(x)
    if low_rank is None:
        return y
    if n_base == 0:
        return y + low_rank(x)
    y[n_base:].add_(low_rank(x[n_base:]))
    return y
