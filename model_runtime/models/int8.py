"""Linear maps in int8 on a CPU: int8 weights, int8 activations with one scale a row, int32 sums.

Which kernels do it is chosen once, by what this processor can:

    OneDnn    oneDNN's, where the processor has 8-bit dot products (VNNI, AMX)
    Fbgemm    FBGEMM's, on older x86. There two products are added in 16 bits before they go on to
              32, and two large ones don't fit: the sum is cut off and the result is wrong. Weights
              of 7 bits keep every sum within 16, so the result is exact again; and for few rows it
              is three times as fast as oneDNN there.
    Plain     torch's own product of int8 matrices, for processors with neither, ARM's among them

The products are summed exactly either way, so a row's result does not depend on its neighbours.
"""

from __future__ import annotations

import platform
import time
import warnings
from functools import cache
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from model_runtime.errors import ModelLoadFailed

#: Activations are unsigned around this: the form for which x86 has instructions.
ZERO = 128
#: Levels of an activation on either side of zero.
LEVELS = 127.0
#: Rows that are rounded at once: a large weight need not be there in float32 as a whole.
_STRIP = 8192


class Kernel(Protocol):
    """One library's integer product: a packed weight times rows of integers."""

    #: Bits of a weight, its sign included: what its sums leave room for.
    weight_bits: ClassVar[int]

    def pack(self, weight: Tensor, scale: Tensor) -> Any:
        """Bring a weight [n_out, n_in] int8 with scales [n_out] into the kernel's own order."""

    def product(self, packed: Any, rows: Tensor, scale: Tensor) -> Tensor:
        """Multiply rows [n, n_in] of float32 integers from -127 to 127; return [n, n_out] float32.

        Args:
            packed: what `pack` returned.
            rows: activations.
            scale: [n_out] the scales `pack` got.
        """


class OneDnn:
    """oneDNN's kernels."""

    weight_bits: ClassVar[int] = 8

    def pack(self, weight: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002  # see Kernel
        """See `Kernel.pack`."""
        packed: Tensor = torch.ops.onednn.qlinear_prepack(weight, None)
        return packed

    def product(self, packed: Tensor, rows: Tensor, scale: Tensor) -> Tensor:
        """See `Kernel.product`."""
        y: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows.add_(ZERO).to(torch.uint8), 1.0, ZERO, packed, scale, _no_offsets(len(scale)),
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return y


class Fbgemm:
    """FBGEMM's kernels."""

    weight_bits: ClassVar[int] = 7

    def pack(self, weight: Tensor, scale: Tensor) -> Any:
        """See `Kernel.pack`."""
        quantized = torch._make_per_channel_quantized_tensor(  # noqa: SLF001  # has no other name
            weight, scale.double(), torch.zeros(len(scale), dtype=torch.long), 0
        )
        return torch.ops.quantized.linear_prepack(quantized, None)

    def product(self, packed: Any, rows: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002  # it has them
        """See `Kernel.product`."""
        y: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows, 1.0, ZERO, packed
        )
        return y


class Plain:
    """torch's own product of int8 matrices."""

    weight_bits: ClassVar[int] = 8

    def pack(self, weight: Tensor, scale: Tensor) -> Tensor:  # noqa: ARG002  # see Kernel
        """See `Kernel.pack`."""
        return weight.contiguous()

    def product(self, packed: Tensor, rows: Tensor, scale: Tensor) -> Tensor:
        """See `Kernel.product`."""
        sums: Tensor = torch._int_mm(rows.to(torch.int8), packed.t())  # noqa: SLF001  # has no other name
        return sums.float().mul_(scale)


class Int8Linear:
    """int8 weights with one scale an output channel, int8 activations with one scale a row.

    Args:
        weight: [n_out, n_in] int8, of as many bits as the kernel takes.
        scale: [n_out] float32.
        bias: [n_out] float32, or None.

    Raises:
        ModelLoadFailed: there are no kernels; see `kernel`.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        chosen = kernel()
        if chosen is None:
            raise ModelLoadFailed("this processor, or this torch, has no int8 kernels")
        self._kernel = chosen
        self._scale = scale.float().contiguous()
        self._packed = chosen.pack(weight, self._scale)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Map [..., n, n_in] float32 to [..., n, n_out] float32."""
        if x.dim() > 2:  # noqa: PLR2004  # several canvases
            mapped: Tensor = self(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
            return mapped
        row_scale = x.abs().amax(dim=-1, keepdim=True).div_(LEVELS).clamp_min_(1e-12)
        y = self._kernel.product(self._packed, (x / row_scale).round_(), self._scale)
        y.mul_(row_scale)
        return y if self._bias is None else y.add_(self._bias)


def quantize_int8(weight: Tensor, n_bits: int | None = None) -> tuple[Tensor, Tensor]:
    """Round a float weight [n_out, n_in] to int8 [n_out, n_in] with float32 scales [n_out].

    Args:
        weight: to be rounded.
        n_bits: of a rounded weight, its sign included; None is what this processor's kernel takes.
    """
    if n_bits is None:
        n_bits = weight_bits()
    codes = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(len(weight), device=weight.device)
    for start in range(0, len(weight), _STRIP):
        rows = slice(start, start + _STRIP)
        strip = weight[rows].float()
        scale = strip.abs().amax(dim=1).div(2 ** (n_bits - 1) - 1).clamp_min(1e-12)
        codes[rows] = strip.div(scale[:, None]).round_().to(torch.int8)
        scales[rows] = scale
    return codes, scales


def weight_bits() -> int:
    """Return the bits of a weight for this processor's kernel; 8 where there is none."""
    chosen = kernel()
    return 8 if chosen is None else chosen.weight_bits


@cache
def kernel() -> Kernel | None:
    """Return the kernels for this processor; None if none of them computes right here.

    On x86 it is known which are the fastest; elsewhere that is tried out.
    """
    kernels: tuple[Kernel, ...] = (OneDnn(), Fbgemm(), Plain())
    exact = (chosen for chosen in kernels if is_exact(chosen))
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return next(exact, None) if is_x86 else min(exact, key=_seconds, default=None)


def _seconds(chosen: Kernel) -> float:
    """Return how long a kernel takes for a few rows of a layer, the best of some attempts."""
    weight = torch.ones(2048, 1024, dtype=torch.int8)
    packed, scale = chosen.pack(weight, torch.ones(2048)), torch.ones(2048)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        chosen.product(packed, torch.ones(4, 1024), scale)
        taken.append(time.perf_counter() - started)
    return min(taken)


def is_exact(chosen: Kernel) -> bool:
    """Whether a kernel's sums are right here, of the largest numbers that there are.

    Tried on few rows and on many, for which there may be different code.
    """
    largest = 2 ** (chosen.weight_bits - 1) - 1
    weight, scale = torch.full((64, 64), largest, dtype=torch.int8), torch.ones(64)
    weight[::2] = -largest
    rows = torch.full((64, 64), 127.0)
    rows[1::2, ::3] = -127.0
    expected = rows @ weight.float().t()
    try:
        with warnings.catch_warnings():
            # Once a process: torch means to drop FBGEMM's tensors in a release past those we allow.
            warnings.simplefilter("ignore")
            packed = chosen.pack(weight, scale)
        few, many = (chosen.product(packed, rows[:n].clone(), scale) for n in (2, 64))
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return torch.equal(few, expected[:2]) and torch.equal(many, expected)


@cache
def _no_offsets(n_out: int) -> Tensor:
    return torch.zeros(n_out, dtype=torch.int32)
