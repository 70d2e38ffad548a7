"""Building blocks that families share: linear maps, embeddings, norms, rotary positions, attention.

A linear map is anything callable from [n, n_in] to [n, n_out] whose row i depends on input row i
alone. The exact hybrid stands on that: a token verified among others gets the same logits as alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Linear(Protocol):
    """A linear map over the last dimension."""

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] to [n, n_out]."""


@dataclass(frozen=True)
class DenseLinear:
    """weight [n_out, n_in] and bias [n_out] in one floating dtype."""

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] to [n, n_out]."""
        return functional.linear(x, self.weight, self.bias)


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


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Scale each row of x [n, width] to unit root mean square, in float32, then by `weight`."""
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    return wide.to(x.dtype) * weight


class Rotary:
    """Rotary position embedding, half-split: channel i turns with channel i + head_dim / 2.

    Su et al. 2021, arXiv 2104.09864, eq. 34, in the pairing that Llama and Qwen use.

    Args:
        head_dim: channels of one head.
        base: theta of the slowest frequency.
        max_length: positions are below this.
        scale: positions are divided by it, for models that were stretched to longer texts (Chen et
            al. 2023, arXiv 2306.15595).
        factors: [head_dim / 2] each frequency is divided by its own; None for none.
    """

    def __init__(
        self,
        head_dim: int,
        base: float,
        max_length: int,
        scale: float = 1.0,
        factors: Tensor | None = None,
    ) -> None:
        frequencies = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        frequencies = frequencies / scale
        if factors is not None:
            frequencies = frequencies / factors.double().cpu()
        angles = torch.arange(max_length, dtype=torch.float64)[:, None] * frequencies
        self._cos = angles.cos().float().repeat(1, 2)
        self._sin = angles.sin().float().repeat(1, 2)

    def to(self, device: torch.device) -> Rotary:
        """Bring the tables to a device, and return them."""
        self._cos, self._sin = self._cos.to(device), self._sin.to(device)
        return self

    def tables(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosine and sine [n, 1, head_dim] for positions [n]."""
        return self._cos[positions][:, None], self._sin[positions][:, None]


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Turn heads x [..., n, n_heads, head_dim] by the positions of `tables`.

    Tables of fewer channels turn the first ones and leave the rest.
    """
    cos, sin = tables
    turned, rest = x.tensor_split((cos.shape[-1],), dim=-1)
    first, second = turned.chunk(2, dim=-1)
    turned = (turned * cos + torch.cat((-second, first), dim=-1) * sin).to(x.dtype)
    return torch.cat((turned, rest), dim=-1) if rest.shape[-1] > 0 else turned


def rotary_tables(positions: Tensor, n_channels: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cosine and sine [..., n, 1, n_channels] for positions [..., n].

    What `Rotary` looks up, computed: for families whose positions reach too far for a table.
    """
    exponents = torch.arange(0, n_channels, 2, dtype=torch.float64) / n_channels
    frequencies = (base**-exponents).float().to(positions.device)
    angles = positions[..., None, None].float() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
    """Scaled dot-product attention with grouped heads.

    Args:
        queries: [n, n_heads, head_dim], or with a batch dimension before these.
        keys: [n_keys, n_kv_heads, head_dim]; key head j serves n_heads / n_kv_heads query heads.
        values: as keys.
        allowed: [n, n_keys], additive float or boolean (true attends), or None for no mask.

    Returns:
        [n, n_heads * head_dim].
    """
    if queries.dim() == 3:  # noqa: PLR2004  # no batch
        return attend(queries[None], keys[None], values[None], allowed)[0]
    mixed = functional.scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.transpose(1, 2),
        values.transpose(1, 2),
        attn_mask=None if allowed is None else allowed.unsqueeze(-3),
        enable_gqa=keys.shape[2] != queries.shape[2],
    )
    return mixed.transpose(1, 2).flatten(2)
