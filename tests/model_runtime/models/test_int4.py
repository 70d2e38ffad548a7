"""int4 products: those of the rounded numbers, each row by itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.models import int4
from model_runtime.models.int4 import GROUP, Dynamic, Int4Linear, Kernel, Packed, quantize_int4

needs_kernel = pytest.mark.skipif(int4.kernel() is None, reason="no int4 kernels here")
KERNELS = [kernel for kernel in (Dynamic(), Packed()) if int4.is_right(kernel)]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
@given(st.integers(1, 70), st.integers(1, 3), st.integers(1, 70), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_row_is_the_product_of_the_rounded_numbers_whatever_stands_beside_it(
    kernel: Kernel, n_rows: int, n_groups: int, n_out: int, seed: int
) -> None:
    """To the rounding of activations, and to the last bit the same alone and among others."""
    rng = torch.Generator().manual_seed(seed)
    codes, scale = quantize_int4(torch.randn(n_out, n_groups * GROUP, generator=rng))
    x = torch.randn(n_rows, n_groups * GROUP, generator=rng)
    packed = kernel.pack(codes, scale)
    said = kernel.product(packed, x, n_out)
    whole = torch.stack((codes & 15, codes >> 4), dim=-1).view(n_out, -1, GROUP).float() - 8
    expected = x @ (whole * scale[..., None]).view(n_out, -1).t()
    assert said.shape == expected.shape
    torch.testing.assert_close(said, expected, rtol=0.02, atol=0.5)
    at = seed % n_rows
    assert torch.equal(kernel.product(packed, x[at : at + 1], n_out), said[at : at + 1])


@needs_kernel
def test_a_map_adds_its_bias_and_leaves_its_rows_as_they_are() -> None:
    """Whichever kernel was chosen."""
    weight, bias = torch.randn(24, 64), torch.arange(24.0)
    x = torch.randn(3, 64)
    before = x.clone()
    plain, biased = (Int4Linear(*quantize_int4(weight), added)(x) for added in (None, bias))
    assert torch.equal(biased, plain + bias)
    assert torch.equal(x, before)


class Neighbourly:
    """Rounds rows together, as a kernel with one scale for all of them would."""

    def pack(self, codes: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Make the weight whole."""
        whole = torch.stack((codes & 15, codes >> 4), dim=-1).view(len(codes), -1, GROUP).float()
        return ((whole - 8) * scale[..., None]).view(len(codes), -1)

    def product(self, packed: torch.Tensor, x: torch.Tensor, n_out: int) -> torch.Tensor:
        """Round by the largest number of all rows."""
        step = x.abs().max() / 127
        return (x / step).round() * step @ packed[:n_out].t()


def test_a_kernel_whose_rows_depend_on_each_other_is_refused() -> None:
    """However right it is."""
    assert not int4.is_right(Neighbourly())
