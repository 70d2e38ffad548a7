"""Building blocks shared by the families: linear maps, norms, rotary positions, attention.

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


class Int8Linear:
    """int8 weights with one scale an output channel, int8 activations with one scale a row.

    The products are summed in int32, so a row's result does not depend on its neighbours. Weights
    are packed once for the CPU's integer dot products (oneDNN: VNNI or AMX where it exists).

    Args:
        weight: [n_out, n_in] int8.
        scale: [n_out] float32.
        bias: [n_out] float32, or None.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        self._packed = torch.ops.onednn.qlinear_prepack(weight, None)
        self._scale = scale.float().contiguous()
        self._no_offsets = torch.zeros(len(scale), dtype=torch.int32)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] float32 to [n, n_out] float32."""
        # Unsigned activations around 128: the only form for which oneDNN has fast kernels here.
        row_scale = x.abs().amax(dim=-1, keepdim=True).div_(127.0).clamp_min_(1e-12)
        quantized = (x / row_scale).round_().add_(128.0).to(torch.uint8)
        y: Tensor = torch.ops.onednn.qlinear_pointwise(
            quantized, 1.0, 128, self._packed, self._scale, self._no_offsets,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        y.mul_(row_scale)
        return y if self._bias is None else y.add_(self._bias)

    @staticmethod
    def supported() -> bool:
        """Whether this build of torch has the kernels."""
        try:
            probe = Int8Linear(torch.ones(8, 8, dtype=torch.int8), torch.ones(8))
            return torch.allclose(probe(torch.ones(1, 8)), torch.full((1, 8), 8.0), rtol=1e-3)
        except (RuntimeError, AttributeError, NotImplementedError):
            return False


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a float weight [n_out, n_in] to int8 [n_out, n_in] with float32 scales [n_out]."""
    scale = weight.abs().amax(dim=1).div(127.0).clamp_min(1e-12)
    return (weight / scale[:, None]).round().to(torch.int8), scale.float()


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
    """

    def __init__(self, head_dim: int, base: float, max_length: int) -> None:
        frequencies = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        angles = torch.arange(max_length, dtype=torch.float64)[:, None] * frequencies
        self._cos = angles.cos().float().repeat(1, 2)
        self._sin = angles.sin().float().repeat(1, 2)

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
