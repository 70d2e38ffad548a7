"""Packed weights: what is mapped says what was packed, and what can't be used is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from model_runtime.models.int8 import OneDnn, quantize_int8
from model_runtime.models.packed import machine_key, open_packed, write_packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

pytestmark = pytest.mark.skipif(
    machine_key() is None, reason="this torch can't take a mapped weight"
)
#: Sizes that oneDNN fills up, and sizes that it need not.
SHAPES = ((8, 8), (64, 64), (100, 72), (640, 200))


class Weights:
    """Random weights, counting how often they are read."""

    def __init__(self) -> None:
        rng = torch.Generator().manual_seed(0)
        self.made = {
            f"layer {i}": quantize_int8(torch.randn(shape, generator=rng))
            for i, shape in enumerate(SHAPES)
        }
        self.n_read = 0

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each weight by its name."""
        for name, (weight, _) in self.made.items():
            self.n_read += 1
            yield name, weight

    def check(self, folder: Path) -> None:
        """Check that what is opened there computes what these weights do, to the last bit."""
        packed = open_packed(folder, self)
        assert packed is not None
        for name, (weight, scale) in self.made.items():
            bias = torch.linspace(-1, 1, len(scale))
            # The largest of each row is 127, so its scale is 1.
            rows = torch.randint(-127, 127, (5, weight.shape[1])).float()
            rows[:, 0] = 127.0
            mapped = packed.linear(name, scale, bias, weight.shape[1])
            own = OneDnn().product(OneDnn().pack(weight, scale), rows.clone(), scale)
            assert torch.equal(mapped(rows), own + bias)


def test_mapped_weights_compute_what_packed_ones_do(tmp_path: Path) -> None:
    """Whatever the shape, a mapped weight's result is the packed one's; the second start maps."""
    weights = Weights()
    weights.check(tmp_path)
    assert weights.n_read == len(SHAPES)
    weights.check(tmp_path)
    assert weights.n_read == len(SHAPES)


@pytest.mark.parametrize("n_kept", [0, 100, 70_000])
def test_a_damaged_file_is_packed_anew(tmp_path: Path, n_kept: int) -> None:
    """A file that was cut short is not used, and replaced."""
    weights = Weights()
    weights.check(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:n_kept])
    weights.check(tmp_path)
    assert weights.n_read == 2 * len(SHAPES)


def test_what_another_torch_packed_goes(tmp_path: Path) -> None:
    """Packed weights of another release or machine are removed, for they are large."""
    (tmp_path / "packed-0123456789ab.safetensors").write_bytes(b"old")
    Weights().check(tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name != "packed-0123456789ab.safetensors"


def test_without_room_every_start_packs(tmp_path: Path) -> None:
    """Where no file can be written there is none, and no error either."""
    assert open_packed(tmp_path / "missing", Weights()) is None


def test_no_part_of_a_file_is_left_behind(tmp_path: Path) -> None:
    """Packing that is cut off leaves nothing."""

    def broken() -> Iterator[tuple[str, Tensor]]:
        yield "first", torch.ones(8, 8, dtype=torch.int8)
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_packed(tmp_path / "packed-x.safetensors", broken())
    assert not list(tmp_path.iterdir())
