"""Linear maps of few bits on a processor: which kernels of the installed libraries there are.

One row has to read every weight, so bytes are its time, and weights of 4 bits might halve it. What
may take the place of int8 has to be faster for one row, and exact row by row: a row's result must
not depend on how many others are computed along with it, or drafts would change the text.
"""

from __future__ import annotations

import statistics
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model_runtime.bench.base import Row, Setup, Table
from model_runtime.models.int4 import Dynamic, Packed, quantize_int4
from model_runtime.models.int8 import Int8Linear, quantize_int8

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.models.int4 import Kernel

    Map = Callable[[Tensor], Tensor]

#: Inputs and outputs of the default model's maps, those side by side fused; a layer has the first
#: four, and the model 24 layers and one head.
SHAPES = {
    "queries, keys, values": (896, 1152),
    "attention's output": (896, 896),
    "gate, up": (896, 9728),
    "down": (4864, 896),
    "head": (896, 151936),
}
ROWS = (1, 8, 64)
#: Calls take copies of a weight in turn that are so large together: they come from memory, as they
#: do where a whole model is read for each row.
N_BYTES = 96 * 2**20
#: Turns for each repetition; and how many times as slow as int8 for one row a kernel may be to be
#: measured with more of them: plain code takes seconds there.
N_TURNS = 10
SLOW = 8.0


def measure(setup: Setup) -> list[Table]:
    """Measure every kernel that works here."""
    return measure_kernels(SHAPES, setup.repeat, N_BYTES)


@torch.inference_mode()
def measure_kernels(shapes: dict[str, tuple[int, int]], repeat: int, n_bytes: int) -> list[Table]:
    """Measure each kernel with each shape, all of a shape's in turns.

    Args:
        shapes: inputs and outputs.
        repeat: see `N_TURNS`.
        n_bytes: see `N_BYTES`.
    """
    notes: dict[str, str] = {}
    rows: list[Row] = []
    for name, shape in shapes.items():
        rows += _rows(name, shape, repeat, n_bytes, notes)
    return [
        Table(
            title="Kernels",
            says=(
                "The processor's microseconds for so many rows, and how many times as fast as "
                "int8, the first of each shape. *Exact*: a row gives the same bits alone and among "
                "others. *Error*: of random weights and activations, against float32, root mean "
                "square. A kernel without figures for many rows is plain code."
            ),
            rows=tuple(rows),
            notes=tuple(f"{name}: {why}" for name, why in notes.items()),
        )
    ]


def _rows(
    name: str, shape: tuple[int, int], repeat: int, n_bytes: int, notes: dict[str, str]
) -> list[Row]:
    """Measure the kernels with one shape; say in `notes` why one can't."""
    n_in, n_out = shape
    n_copies = max(1, n_bytes // (n_in * n_out))
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(n_out, n_in, generator=rng) / n_in**0.5
    x = torch.randn(ROWS[-1], n_in, generator=rng)
    expected = x @ weight.t()
    maps: dict[str, list[Map]] = {}
    for kernel, make in KERNELS.items():
        try:
            first = make(weight)
            first(x[:1].clone())
        except (RuntimeError, AttributeError, ImportError, NotImplementedError) as error:
            notes[kernel] = f"not here ({str(error).splitlines()[0][:120]})"
            continue
        maps[kernel] = [first, *(make(weight) for _ in range(1, n_copies))]
    taken = {1: _taken(maps, x[:1], N_TURNS * repeat)}
    today = next(iter(maps))
    quick = {
        kernel: copies for kernel, copies in maps.items()
        if statistics.median(taken[1][kernel]) < SLOW * statistics.median(taken[1][today])
    }  # fmt: skip
    taken |= {n: _taken(quick, x[:n], N_TURNS * repeat) for n in ROWS[1:]}
    found: list[Row] = []
    for kernel, copies in maps.items():
        n_most = ROWS[-1] if kernel in quick else 1
        off = copies[0](x[:n_most].clone()).float() - expected[:n_most]
        row: Row = {"map": name, "inputs": n_in, "outputs": n_out, "kernel": kernel}
        for n in ROWS:
            own = taken[n].get(kernel)
            row[f"µs, {n}"] = round(statistics.median(own) * 1e6) if own else None
        for n in ROWS:
            pairs = zip(taken[n][today], taken[n].get(kernel, ()), strict=False)
            ratios = [a / b for a, b in pairs]
            row[f"times as fast, {n}"] = round(statistics.median(ratios), 2) if ratios else None
        row["exact"] = ("yes" if _is_exact(copies[0], x) else "no") if kernel in quick else None
        row["error, %"] = round(float(off.norm() / expected[:n_most].norm()) * 100, 1)
        found.append(row)
    return found


def _taken(maps: dict[str, list[Map]], x: Tensor, n_turns: int) -> dict[str, list[float]]:
    """Return the seconds of each kernel in each turn, with all of `x` [n, n_in]."""
    taken: dict[str, list[float]] = {name: [] for name in maps}
    for turn in range(1 + n_turns):
        for name, copies in maps.items():
            fed, product = x.clone(), copies[turn % len(copies)]
            started = time.process_time()
            product(fed)
            if turn:  # the first one warms up
                taken[name].append(time.process_time() - started)
    return taken


def _is_exact(product: Map, x: Tensor) -> bool:
    """Whether each row is what it is alone, among any number of others."""
    alone = torch.cat([product(row[None].clone()) for row in x])
    return all(torch.equal(product(x[:n].clone()), alone[:n]) for n in (2, 3, 8, len(x)))


def _int8(weight: Tensor) -> Map:
    return Int8Linear(*quantize_int8(weight))


def _int8_pack(weight: Tensor) -> Map:
    codes, scale = quantize_int8(weight, 8)
    scale = scale.bfloat16()
    return lambda x: torch.ops.aten._weight_int8pack_mm(x.bfloat16(), codes, scale)  # noqa: SLF001  # an operator


def _int4(kernel: Kernel) -> Callable[[Tensor], Map]:
    def make(weight: Tensor) -> Map:
        packed = kernel.pack(*quantize_int4(weight))
        return lambda x: kernel.product(packed, x, len(weight))

    return make


def _da8w4(weight: Tensor) -> Map:
    """Make torchao's map of 8-bit activations and 4-bit weights."""
    if find_spec("torchao") is None:
        raise ImportError("torchao is not installed")
    __import__("torchao")
    halves, scale = quantize_int4(weight)
    codes = torch.stack((halves & 15, halves >> 4), dim=-1).flatten(1)
    middle = torch.full_like(scale, 8, dtype=torch.int8)
    packed, scales, zeros, sums = torch.ops.torchao.da8w4_linear_prepack_cpu(codes, scale, middle)

    def product(x: Tensor) -> Tensor:
        row_scale = x.abs().amax(-1, keepdim=True).div(127).clamp_min(1e-12)
        rounded = (x / row_scale).round().to(torch.int8)
        y: Tensor = torch.ops.torchao.da8w4_linear_cpu(
            rounded, row_scale, torch.zeros_like(row_scale, dtype=torch.int32), packed, scales,
            zeros, sums, None, torch.float32,
        )  # fmt: skip
        return y

    return product


#: The first one is what the others are compared with.
KERNELS: dict[str, Callable[[Tensor], Map]] = {
    "int8, as today": _int8,
    "int8, bf16 activations": _int8_pack,
    "int4, bf16 activations": _int4(Packed()),
    "int4, 8-bit activations": _int4(Dynamic()),
    "int4, 8-bit activations, torchao": _da8w4,
}
