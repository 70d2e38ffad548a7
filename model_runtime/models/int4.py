"""Linear maps with weights of 4 bits on a processor: for models that would not fit otherwise.

Each run of 32 weights shares a scale; activations are rounded to 8 bits with one scale a row, so a
row's result does not depend on its neighbours. The kernels are torch's own: KleidiAI's on ARM,
where they are the fastest there are; elsewhere plain code, which saves memory and no time.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from model_runtime.errors import ModelLoadFailed

#: Weights that share a scale.
GROUP = 32
_ZERO, _LARGEST = 8, 7


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
        if not has_kernels():
            raise ModelLoadFailed(
                "this processor, or this torch, has no kernels for int4; set precision = int8"
            )
        self._n_out, self._n_in = len(codes), 2 * codes.shape[1]
        self._packed: Tensor = torch.ops.aten._dyn_quant_pack_4bit_weight(  # noqa: SLF001  # an operator
            codes.contiguous(), scale.bfloat16().contiguous(), None, GROUP, self._n_in, self._n_out
        )
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] float32 to [n, n_out] float32."""
        y: Tensor = torch.ops.aten._dyn_quant_matmul_4bit(  # noqa: SLF001  # an operator
            x.contiguous(), self._packed, GROUP, self._n_in, self._n_out
        )
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
def has_kernels() -> bool:
    """Whether torch's kernels are there and compute right: tried out once, on a small weight."""
    weight = torch.linspace(-1, 1, 64 * 64).view(64, 64)
    codes, scale = quantize_int4(weight)
    whole = torch.stack((codes & 15, codes >> 4), dim=-1).view(64, -1, GROUP).float() - _ZERO
    x = torch.linspace(-1, 1, 128).sin().view(2, 64)
    expected = x @ (whole * scale[..., None]).view(64, 64).t()
    operators = torch.ops.aten
    try:
        packed = operators._dyn_quant_pack_4bit_weight(  # noqa: SLF001  # an operator
            codes, scale.bfloat16(), None, GROUP, 64, 64
        )
        said: Tensor = operators._dyn_quant_matmul_4bit(x, packed, GROUP, 64, 64)  # noqa: SLF001
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    # Activations are rounded to 8 bits.
    return bool((said - expected).abs().max() < 0.05 * expected.abs().max())
