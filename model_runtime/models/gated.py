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
from model_runtime.models.crossing import fetched, sent
from model_runtime.models.gate import canvas_rows, gated
from model_runtime.models.layers import Embedding, Linear, Rotary, rms_norm, rotate
from model_runtime.models.side_by_side import SideBySide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.caches.base import Cache
    from model_runtime.models.adapter import Adapter
    from model_runtime.models.captured import CapturedSteps
    from model_runtime.models.gate import Gate


@dataclass(frozen=True)
class BaseConfig:
    """Shape of a base, Qwen2's, Qwen3's or Llama's; `parts.transformer` has that of others."""

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
        #: What makes small forwards of few shapes, where the device can; None makes each as it is.
        self.captured: CapturedSteps | None = None
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
        ).to(self.device)

    def attach(self, adapter: Adapter, draft_head: Linear) -> None:
        """Put an adapter on the canvas rows.

        Args:
            adapter: mask embedding and low-rank parts, in the dtype of the activations.
            draft_head: width -> len(adapter.vocabulary), the head's rows for that vocabulary.
        """
        self.adapter = adapter
        self.draft_head = draft_head
        # Where the logits go, on the processor; fetched once.
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
        hidden = None if self.captured is None else self.captured.forward(feeds)
        return self.plain_forward(feeds) if hidden is None else hidden

    def plain_forward(self, feeds: Sequence[Feed]) -> list[Tensor]:
        """Run the rows of several requests at once, as many as there are."""
        rows = [feed.rows for feed in feeds]
        n_rows = [len(one.token_ids) for one in rows]
        # One copy for both.
        numbers = [torch.stack((one.token_ids, one.positions)) for one in rows]
        token_ids, positions = sent(torch.cat(numbers, dim=1), self.device)
        allowed = [self.additive(sent(one.visible, self.device)) for one in rows]

        def mix(index: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            own = (queries.split(n_rows), keys.split(n_rows), values.split(n_rows))
            return torch.cat(
                [
                    attend_rows(
                        q, *feed.cache.extend(index, k, v), mask, n_causal=feed.rows.n_causal
                    )
                    for feed, mask, q, k, v in zip(feeds, allowed, *own, strict=True)
                ]
            )

        hidden = self.run(token_ids, positions, mix, canvas_rows(rows, self.device))
        return list(hidden.split(n_rows))

    def run(
        self,
        token_ids: Tensor,
        positions: Tensor,
        mix: Callable[[int, Tensor, Tensor, Tensor], Tensor],
        gate: Gate,
    ) -> Tensor:
        """Run rows through all layers; return [n, width], normalised.

        Args:
            token_ids: [n] int64, as in `Rows`, on the device like all that follows.
            positions: [n] int64.
            mix: the attention, which keeps keys and values: called with a layer's number, queries
                [n, n_heads, head_dim], keys and values [n, n_kv_heads, head_dim]; returns
                [n, n_heads * head_dim].
            gate: which rows are canvas rows.
        """
        config = self.config
        n_query = config.n_heads * config.head_dim
        n_key = config.n_kv_heads * config.head_dim
        tables = self._rotary.tables(positions)
        x = self._embed(token_ids)
        adapter = None if gate is None else self.adapter
        for index, layer in enumerate(self._layers):
            low_rank = adapter.layers[index] if adapter else (None, None, None, None)
            fed = rms_norm(x, layer.attention_norm, config.norm_eps)
            qkv = gated(layer.qkv, low_rank[0], fed, gate)
            queries, keys, values = (
                part.unflatten(-1, (-1, config.head_dim))
                for part in torch.split(qkv, [n_query, n_key, n_key], dim=-1)
            )
            if layer.query_norm is not None and layer.key_norm is not None:
                queries = rms_norm(queries, layer.query_norm, config.norm_eps)
                keys = rms_norm(keys, layer.key_norm, config.norm_eps)
            mixed = mix(index, rotate(queries, tables), rotate(keys, tables), values)
            x = x + gated(layer.out, low_rank[1], mixed, gate)
            fed = rms_norm(x, layer.mlp_norm, config.norm_eps)
            parts = gated(layer.gate_up, low_rank[2], fed, gate).chunk(2, dim=-1)
            x = x + gated(layer.down, low_rank[3], functional.silu(parts[0]) * parts[1], gate)
        return rms_norm(x, self._final_norm, config.norm_eps)

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
        # It is on the processor, so nobody waits for what it says.
        if self.adapter is None or self.draft_head is None or bool(is_base.all()):
            # Sent as they are: to widen them is the processor's, as exact and half the way.
            return list(fetched(self._head(hidden))[0].float().split(n_rows))
        rows = torch.full((len(hidden), self.config.vocab_size), float("-inf"))
        # Which rows are which is known here: an index, unlike a mask, is nothing to wait for.
        base, drafted = is_base.nonzero().squeeze(1), (~is_base).nonzero().squeeze(1)
        drafts = self.draft_head(hidden[sent(drafted, self.device)])
        if len(base):
            heads, drafts = fetched(self._head(hidden[sent(base, self.device)]), drafts)
            rows[base] = heads.float()
        else:
            (drafts,) = fetched(drafts)
        rows[drafted[:, None], self._vocabulary] = drafts.float()
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
        linked = self.adapter.link(hidden, self.embedding(sent(previous, self.device)))
        return self.logits(linked, torch.zeros(len(previous), dtype=torch.bool))

    def turn(self, keys: Tensor, n_positions: int) -> Tensor:
        """Return keys [..., n, n_kv_heads, head_dim] as they are `n_positions` further on."""
        cos, sin = self._rotary.tables(sent(torch.tensor([abs(n_positions)]), self.device))
        return rotate(keys, (cos, sin if n_positions >= 0 else -sin))

    def additive(self, visible: Tensor) -> Tensor:
        """Return a mask to add to scores, of `Rows.visible` on the device."""
        allowed = torch.zeros(visible.shape, dtype=self.dtype, device=self.device)
        return allowed.masked_fill_(~visible, float("-inf"))

    def _embed(self, token_ids: Tensor) -> Tensor:
        is_mask = token_ids < 0
        if self.adapter is None:
            return self.embedding(torch.where(is_mask, self._mask_fallback_id, token_ids))
        masks = self.adapter.mask_embedding
        depth = (-1 - token_ids).clamp(0, len(masks) - 1)
        return torch.where(
            is_mask[:, None], masks[depth].to(self.dtype), self.embedding(token_ids.clamp_min(0))
        )
