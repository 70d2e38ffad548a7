"""int8 products: right on every processor, or not used there."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model_runtime.models import int8
from model_runtime.models.int8 import Fbgemm, Int8Linear, Kernel, OneDnn, quantize_int8

needs_kernel = pytest.mark.skipif(int8.kernel() is None, reason="no int8 kernels on this processor")


class Narrow:
    """Adds two products in 16 bits, as x86 without 8-bit dot products does."""

    weight_bits = 8

    def pack(self, weight: Tensor, scale: Tensor) -> Tensor:
        """Take the weight as it is."""
        return weight.float() * scale[:, None]

    def product(self, packed: Tensor, rows: Tensor, scale: Tensor) -> Tensor:
        """Cut every sum of two neighbours off at 16 bits."""
        terms = (rows + 128)[:, None] * packed[None]
        pairs = terms.unflatten(-1, (-1, 2)).sum(-1).clamp(-(2**15), 2**15 - 1)
        return pairs.sum(-1) - 128 * packed.sum(-1) + scale * 0


def test_a_kernel_that_cuts_sums_off_is_refused() -> None:
    """Weights of 8 bits overflow it, weights of 7 bits don't."""
    narrow = Narrow()
    assert not int8.is_exact(narrow)
    narrow.weight_bits = 7
    assert int8.is_exact(narrow)


@needs_kernel
def test_the_chosen_kernel_is_exact() -> None:
    """Its sums are right for the largest numbers, and so are those of what it was preferred to."""
    chosen = int8.kernel()
    assert chosen is not None
    assert int8.is_exact(chosen)
    assert int8.weight_bits() == chosen.weight_bits
    if isinstance(chosen, Fbgemm):
        assert not int8.is_exact(OneDnn())


@needs_kernel
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_a_product_is_that_of_the_rounded_numbers(
    n_rows: int, n_in: int, n_out: int, seed: int
) -> None:
    """Whatever the shape, to the rounding of float32."""
    rng = torch.Generator().manual_seed(seed)
    weight, scale = quantize_int8(torch.randn(n_out, n_in, generator=rng))
    x = torch.randn(n_rows, n_in, generator=rng)
    bias = torch.randn(n_out, generator=rng)

    row_scale = x.abs().amax(1, keepdim=True) / 127
    expected = (x / row_scale).round() @ weight.float().t() * scale * row_scale + bias

    assert torch.allclose(Int8Linear(weight, scale, bias)(x), expected, rtol=1e-4, atol=1e-5)


@needs_kernel
@pytest.mark.parametrize("kernel", [OneDnn(), Fbgemm()], ids=["OneDnn", "Fbgemm"])
def test_a_row_is_the_same_to_the_last_bit_among_others(kernel: Kernel) -> None:
    """One row, a few, and many: the hybrid's exactness stands on it."""
    if not int8.is_exact(kernel):
        pytest.skip("not used on this processor")
    weight, scale = quantize_int8(torch.randn(200, 120), kernel.weight_bits)
    packed = kernel.pack(weight, scale)
    rows = torch.randint(-127, 128, (300, 120)).float()
    together = kernel.product(packed, rows.clone(), scale)
    for n_rows in (1, 2, 7, 33, 128):
        few = kernel.product(packed, rows[:n_rows].clone(), scale)
        assert torch.equal(few, together[:n_rows])


def test_weights_use_all_their_bits() -> None:
    """The largest weight of every output channel is the largest there is."""
    for n_bits in (7, 8):
        weight, _ = quantize_int8(torch.randn(9, 50), n_bits)
        assert (weight.abs().amax(1) == 2 ** (n_bits - 1) - 1).all()
