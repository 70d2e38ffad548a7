"""Frozen int8 weights that let a gradient through.

The base never changes, so its linear maps need no weight gradient; what they owe is the gradient
of their input, W^T g. That is the same kind of product as the forward one, and it is made the same
way: the gradient is rounded to int8 with one scale a row. On a CPU this makes a training step about
four times as fast as bfloat16. The adapter's own gradients are exact.

Not so the head: the gradient of a softmax has a few large parts and thousands of small ones that
matter by their sum, and one scale for all rounds the small ones to nothing. Its gradient is made in
floating point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from model_runtime.models.int8 import Int8Linear

if TYPE_CHECKING:
    from torch import Tensor


def fast_dtype() -> torch.dtype:
    """Return the dtype that this machine multiplies fastest, of those that training can use."""
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if torch.cuda.is_available() or has_bfloat16() else torch.float32


class DifferentiableInt8Linear(Int8Linear):
    """An `Int8Linear` with a gradient for its input.

    Args:
        weight: [n_out, n_in] int8.
        scale: [n_out] float32.
        bias: [n_out] float32, or None.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__(weight, scale, bias)
        self._weight_scale = scale.float()
        self._transposed = Int8Linear(weight.t().contiguous(), torch.ones(weight.shape[1]))

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] float32 to [n, n_out] float32."""
        if not x.requires_grad:
            return super().__call__(x)
        y: Tensor = _ThroughInt8.apply(x.float(), self)  # type: ignore[no-untyped-call]  # torch's
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Map without a gradient."""
        return super().__call__(x)

    def backward(self, gradient: Tensor) -> Tensor:
        """Return W^T g for g [n, n_out]; the channel scales are folded into g before rounding."""
        return self._transposed(gradient * self._weight_scale)


class DifferentiableHead(DifferentiableInt8Linear):
    """The same map with its input's gradient in floating point, for the gradient of a softmax.

    Args:
        weight: [n_out, n_in] int8.
        scale: [n_out] float32.
        bias: [n_out] float32, or None.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__(weight, scale, bias)
        self._dense = (weight * scale.float()[:, None]).to(fast_dtype())

    def backward(self, gradient: Tensor) -> Tensor:
        """Return W^T g for g [n, n_out]."""
        return (gradient.to(self._dense.dtype) @ self._dense).float()


class _ThroughInt8(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linear: DifferentiableInt8Linear) -> Tensor:
        ctx.linear = linear
        return linear.forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.linear.backward(gradient), None
