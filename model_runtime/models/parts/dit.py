"""The diffusion transformer of SEDD, MDLM and Eso-LM: a bidirectional stack modulated by noise.

Peebles & Xie 2022, arXiv 2212.09748, as Lou et al. 2023 (arXiv 2310.16834) use it for text: layer
norms whose shift, scale and gate are linear in an embedding of the noise level, rotary positions,
one attention head dimension for keys and queries, an MLP four times as wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.models.layers import Linear, attend, rotary_tables, rotate
from model_runtime.models.parts.config import check_shared

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights

#: Fixed in the published code: channels of the noise level's sinusoids, and their slowest period.
_N_SINUSOIDS = 256
_SLOWEST_PERIOD = 10_000.0
_ROPE_BASE = 10_000.0
_NORM_EPS = 1e-5
_MLP_RATIO = 4


@dataclass(frozen=True)
class Block:
    """One modulated block."""

    #: cond_width -> 6 * width, laid out shift, scale, gate of attention, then of the MLP.
    modulation: Linear
    attention_norm: Tensor
    #: width -> 3 * width, laid out queries, keys, values.
    qkv: Linear
    out: Linear
    mlp_norm: Tensor
    up: Linear
    down: Linear


@dataclass(frozen=True)
class DitShape:
    """Sizes of a stack."""

    n_blocks: int
    width: int
    n_heads: int
    #: Of the noise level's embedding.
    cond_width: int
    #: Rows of the embedding and of the head.
    vocab_size: int


class Dit:
    """A modulated stack between an embedding and a head.

    Args:
        weights: where the tensors come from.
        shape: sizes.
        prefix: what the tensors' names begin with.
    """

    def __init__(self, weights: Weights, shape: DitShape, prefix: str = "") -> None:
        check_shared(shape.width, 2 * shape.n_heads, "channels, and heads of paired channels")
        width, cond, vocab = shape.width, shape.cond_width, shape.vocab_size
        self._n_heads = shape.n_heads
        self._head_dim = width // shape.n_heads
        self._dtype = weights.dtype
        self._embedding = weights.tensor(f"{prefix}vocab_embed.embedding", vocab, width)
        self._noise_in = weights.linear(
            f"{prefix}sigma_map.mlp.0", _N_SINUSOIDS, cond, bias=True, rounded=False
        )
        self._noise_out = weights.linear(
            f"{prefix}sigma_map.mlp.2", cond, cond, bias=True, rounded=False
        )
        self._blocks = [
            _load_block(weights, f"{prefix}blocks.{index}", shape)
            for index in range(shape.n_blocks)
        ]
        final = f"{prefix}output_layer"
        self._final_norm = weights.tensor(f"{final}.norm_final.weight", width)
        self._final_modulation = weights.linear(
            f"{final}.adaLN_modulation", cond, 2 * width, bias=True, rounded=False
        )
        self._head = weights.linear(f"{final}.linear", width, vocab, bias=True, rounded=False)
        weights.inert("rotary_emb.inv_freq")

    def hidden(
        self,
        token_ids: Tensor,
        positions: Tensor,
        noise_level: Tensor,
        allowed: Tensor | None,
        cache: Cache,
    ) -> Tensor:
        """Run the fed rows up to the head.

        Args:
            token_ids: [batch, n_fed] int64.
            positions: [batch, n_fed] int64.
            noise_level: [batch] float.
            allowed: [n_fed, n_rows] or [batch, n_fed, n_rows] bool; None lets rows see every row.
            cache: has the rows that are not fed.

        Returns:
            [batch, n_fed, width], ready for `head`.
        """
        condition = self._embed_noise(noise_level)
        tables = rotary_tables(positions, self._head_dim, _ROPE_BASE)
        x = self._embedding[token_ids]
        for index, block in enumerate(self._blocks):
            chunks = block.modulation(condition)[:, None].chunk(6, dim=-1)
            shift, scale, gate = chunks[:3]
            fed = _modulated(x, block.attention_norm, shift, scale)
            heads = block.qkv(fed).unflatten(-1, (3, self._n_heads, self._head_dim))
            queries, keys, values = heads.unbind(dim=-3)
            keys, values = cache.extend(index, rotate(keys, tables), values)
            x = x + gate * block.out(attend(rotate(queries, tables), keys, values, allowed))
            shift, scale, gate = chunks[3:]
            fed = _modulated(x, block.mlp_norm, shift, scale)
            x = x + gate * block.down(functional.gelu(block.up(fed), approximate="tanh"))
        shift, scale = self._final_modulation(condition)[:, None].chunk(2, dim=-1)
        return _modulated(x, self._final_norm, shift, scale)

    def head(self, hidden: Tensor) -> Tensor:
        """Map [..., width] to [..., vocab_size] float32."""
        return self._head(hidden).float()

    def _embed_noise(self, noise_level: Tensor) -> Tensor:
        """Map noise levels [batch] to [batch, cond_width]."""
        half = _N_SINUSOIDS // 2
        exponents = torch.arange(half, dtype=torch.float32, device=noise_level.device) / half
        angles = noise_level.float()[:, None] * torch.exp(-math.log(_SLOWEST_PERIOD) * exponents)
        waves = torch.cat((angles.cos(), angles.sin()), dim=-1).to(self._dtype)
        return functional.silu(self._noise_out(functional.silu(self._noise_in(waves))))


def _modulated(x: Tensor, norm: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise x [batch, n, width] and move it: norm(x) * (1 + scale) + shift."""
    wide = functional.layer_norm(x.float(), norm.shape, norm.float(), None, _NORM_EPS)
    return wide.to(x.dtype) * (1 + scale) + shift


def _load_block(weights: Weights, name: str, shape: DitShape) -> Block:
    width, mlp_width = shape.width, _MLP_RATIO * shape.width
    return Block(
        weights.linear(
            f"{name}.adaLN_modulation", shape.cond_width, 6 * width, bias=True, rounded=False
        ),
        weights.tensor(f"{name}.norm1.weight", width),
        weights.linear(f"{name}.attn_qkv", width, 3 * width),
        weights.linear(f"{name}.attn_out", width, width),
        weights.tensor(f"{name}.norm2.weight", width),
        weights.linear(f"{name}.mlp.0", width, mlp_width, bias=True),
        weights.linear(f"{name}.mlp.2", mlp_width, width, bias=True),
    )
