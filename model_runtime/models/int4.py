"""Linear maps with weights of 4 bits on a processor: half the bytes of int8.

Each run of 32 weights shares a scale. Which kernels do it is chosen once, the fastest of torch's
own for one row that compute right here; a row's result does not depend on its neighbours:

    Dynamic   activations rounded to 8 bits with one scale a row. KleidiAI's on ARM; plain code
              elsewhere, which saves memory and takes many times as long as int8
    Packed    activations and results in bf16, sums in float32; x86 has code for it with AVX2 and
              AVX-512. For one row faster than int8, for many far slower

`remask bench --only kernels` compares them.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.errors import ModelLoadFailed

#: Weights that share a scale.
GROUP = 32
_ZERO, _LARGEST = 8, 7
#: Outputs of a packed weight come in so many.
_STEP = 16


class Kernel(Protocol):
    """One library's product of rows and a packed weight."""

    def pack(self, codes: Tensor, scale: Tensor) -> Any:
        """Bring a weight into the kernel's own order; see `Int4Linear`."""

    def product(self, packed: Any, x: Tensor, n_out: int) -> Tensor:
        """Multiply rows [n, n_in] of float32; return [n, n_out] float32."""


class Dynamic:
    """See the module."""

    def pack(self, codes: Tensor, scale: Tensor) -> Tensor:
        """See `Kernel.pack`."""
        packed: Tensor = torch.ops.aten._dyn_quant_pack_4bit_weight(  # noqa: SLF001  # an operator
            codes.contiguous(), scale.bfloat16().contiguous(), None, GROUP, 2 * codes.shape[1],
            len(codes),
        )  # fmt: skip
        return packed

    def product(self, packed: Tensor, x: Tensor, n_out: int) -> Tensor:
        """See `Kernel.product`."""
        y: Tensor = torch.ops.aten._dyn_quant_matmul_4bit(  # noqa: SLF001  # an operator
            x.contiguous(), packed, GROUP, x.shape[1], n_out
        )
        return y


class Packed:
    """See the module."""

    def pack(self, codes: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernel.pack`."""
        n_more = -len(codes) % _STEP
        both = torch.stack((codes & 15, codes >> 4), dim=-1).flatten(1).int()
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(  # noqa: SLF001  # an operator
            functional.pad(both, (0, 0, 0, n_more), value=_ZERO), 1
        )
        scale = functional.pad(scale, (0, 0, 0, n_more))
        # Of each group: its scale, and what the middle code stands for.
        scales = torch.stack((scale, torch.zeros_like(scale)), dim=-1).transpose(0, 1)
        return packed, scales.bfloat16().contiguous()

    def product(self, packed: tuple[Tensor, Tensor], x: Tensor, n_out: int) -> Tensor:
        """See `Kernel.product`."""
        weight, scales = packed
        y: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(  # noqa: SLF001  # an operator
            x.bfloat16().contiguous(), weight, GROUP, scales
        )
        return y[:, :n_out].float()


class Int4Linear:
    """See the module.

    Args:
        codes: [n_out, n_in / 2] uint8: two weights each, the first in the low half, both plus 8.
        scale: [n_out, n_in / GROUP] float.
        bias: [n_out] float32, or None.

    Raises:
        ModelLoadFailed: this torch has no such kernels.
    """

    def __init__(self, codes: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        chosen = kernel()
        if chosen is None:
            raise ModelLoadFailed(
                "this processor, or this torch, has no kernels for int4; set precision = int8"
            )
        self._kernel, self._n_out = chosen, len(codes)
        self._packed = chosen.pack(codes, scale)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] float32 to [n, n_out] float32."""
        y = self._kernel.product(self._packed, x, self._n_out)
        return y if self._bias is None else y.add_(self._bias)


def quantize_int4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a float weight [n_out, n_in]; return codes and scales as `Int4Linear` takes them.

    Raises:
        ModelLoadFailed: the inputs don't divide into groups.
    """
    n_out, n_in = weight.shape
    if n_in % GROUP:
        raise ModelLoadFailed(
            f"a weight with {n_in} inputs can't be rounded to int4, which takes {GROUP} at a time;"
            " set precision = int8"
        )
    groups = weight.float().view(n_out, -1, GROUP)
    # As the kernels hold it: what is rounded by is what is multiplied with.
    scale = groups.abs().amax(-1).div(_LARGEST).clamp_min(1e-12).bfloat16().float()
    codes = (groups / scale[..., None]).round().clamp(-_ZERO, _LARGEST).add(_ZERO)
    codes = codes.to(torch.uint8).view(n_out, n_in)
    return codes[:, ::2] | codes[:, 1::2] << 4, scale


@cache
def kernel() -> Kernel | None:
    """Return the fastest kernels for one row that compute right here; None if none does."""
    kernels: tuple[Kernel, ...] = (Dynamic(), Packed())
    return min(filter(is_right, kernels), key=_seconds, default=None)


def is_right(chosen: Kernel) -> bool:
    """Whether a kernel is there, computes right, and each row as it would alone."""
    weight = torch.linspace(-1, 1, 64 * 64).view(64, 64)
    codes, scale = quantize_int4(weight)
    whole = torch.stack((codes & 15, codes >> 4), dim=-1).view(64, -1, GROUP).float() - _ZERO
    x = torch.linspace(-1, 1, 33 * 64).sin().view(33, 64)
    expected = x @ (whole * scale[..., None]).view(64, 64).t()
    try:
        packed = chosen.pack(codes, scale)
        said = chosen.product(packed, x, 64)
        alone = torch.cat([chosen.product(packed, row[None], 64) for row in x])
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    # Activations are rounded.
    is_near = bool((said - expected).abs().max() < 0.05 * expected.abs().max())
    return is_near and torch.equal(said, alone)


def _seconds(chosen: Kernel) -> float:
    """Return how long a kernel takes for one row of a layer, the best of some attempts."""
    codes, scale = quantize_int4(torch.ones(1024, 512))
    packed, x = chosen.pack(codes, scale), torch.ones(1, 512)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        chosen.product(packed, x, 1024)
        taken.append(time.perf_counter() - started)
    return min(taken)
