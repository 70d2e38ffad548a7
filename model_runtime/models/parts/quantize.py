"""Weight-only rounding through torchao, for cards with little memory.

The activations stay in their dtype; a weight is unpacked where it is used. torchao chooses the
kernels, so what runs on which device is its business; an optional dependency (`remask[quantize]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import nn

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from torch import Tensor

WeightBits = Literal[4, 8]

#: int4 weights share a scale along so many inputs.
_GROUP_SIZE = 32


def quantize_weight(weight: Tensor, bits: WeightBits) -> Tensor:
    """Round a weight [n_out, n_in] to 8 bits (a scale a row) or 4 bits (a scale a group).

    Raises:
        ModelLoadFailed: torchao is not installed, or has no such kernel for the device.
    """
    n_out, n_in = weight.shape
    linear = nn.Linear(n_in, n_out, bias=False, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=False)
    try:
        _round(linear, bits)
    except ModuleNotFoundError as error:
        raise ModelLoadFailed(
            "int8 and int4 weights need torchao: Remask's extra `quantize`, see its README, Install"
        ) from error
    except (NotImplementedError, RuntimeError, ValueError, AssertionError, ImportError) as error:
        raise ModelLoadFailed(
            f"torchao can't round a {n_out} x {n_in} weight to {bits} bits on {weight.device} "
            f"({error}); use another number of bits, or none"
        ) from error
    return linear.weight.detach()


def _round(linear: nn.Linear, bits: WeightBits) -> None:
    from torchao.quantization import (  # noqa: PLC0415  # an extra, and slow to import
        Int4WeightOnlyConfig,
        Int8WeightOnlyConfig,
        quantize_,
    )

    if bits == 8:  # noqa: PLR2004  # one of `WeightBits`
        quantize_(linear, Int8WeightOnlyConfig(set_inductor_config=False))
    elif linear.weight.device.type == "cpu":
        from torchao.prototype.quantization.int4 import (  # noqa: PLC0415
            inference_workflow,
        )

        rounding = inference_workflow.PrototypeInt4WeightOnlyConfig(
            group_size=_GROUP_SIZE, set_inductor_config=False
        )
        quantize_(linear, rounding)
    else:
        packing = "tile_packed_to_4d"
        rounding = Int4WeightOnlyConfig(
            group_size=_GROUP_SIZE, int4_packing_format=packing, set_inductor_config=False
        )
        quantize_(linear, rounding)
