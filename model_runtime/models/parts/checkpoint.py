"""Tensors by name: what a family asks for, and the shards that have it.

A family builds itself from a `Weights`, asking for each tensor by its published name and shape. It
is built twice: from a `Plan`, which only writes down what is asked for, and, once the plan was
checked against the files and the device, from `Shards`, which reads it. So a renamed tensor or a
model that does not fit is known before a single weight is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.int8 import Int8Linear, kernel, quantize_int8
from model_runtime.models.layers import DenseLinear, Linear
from model_runtime.models.parts.config import read_json
from model_runtime.models.parts.quantize import WeightBits, quantize_weight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
#: How safetensors calls the dtypes of weights that are what they say; rounded ones need scales.
_PLAIN_DTYPES = ("F16", "BF16", "F32", "F64")
#: So many tensor names are spelled out in a message.
_N_NAMED = 8


@dataclass
class Weights(ABC):
    """Where a family gets its tensors from.

    Args:
        device: where they go.
        dtype: of all floating tensors that are not asked for in another.
        weight_bits: round the weights of linear maps to so many bits; None keeps them in `dtype`.
    """

    device: torch.device
    dtype: torch.dtype
    weight_bits: WeightBits | None = None

    @abstractmethod
    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Return the tensor of that name and shape.

        Raises:
            ModelLoadFailed: it can't be read.
        """

    @abstractmethod
    def inert(self, *names: str) -> None:
        """Allow tensors that nothing asks for, whose names begin or end so."""

    def linear(
        self,
        names: str | Sequence[str],
        n_in: int,
        *n_out: int,
        bias: bool = False,
        rounded: bool = True,
    ) -> Linear:
        """Return the linear map `name`.weight [n_out, n_in], with `name`.bias where it has one.

        Args:
            names: one map, or several over the same input that become one, output after output.
            n_in: input channels.
            n_out: output channels, one number for each name.
            bias: whether the map has one (all of them, when there are several).
            rounded: whether `weight_bits` is for this map.
        """
        names = [names] if isinstance(names, str) else names
        sizes = list(zip(names, n_out, strict=True))
        weights = [self.tensor(f"{name}.weight", n, n_in) for name, n in sizes]
        biases = [self.tensor(f"{name}.bias", n) for name, n in sizes] if bias else []
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        whole_bias = torch.cat(biases) if biases else None
        if rounded and self.weight_bits is not None and not weight.is_meta:
            if self.weight_bits == 8 and is_int8_here(weight):  # noqa: PLR2004  # one of `WeightBits`
                return Int8Linear(*quantize_int8(weight), whole_bias)
            weight = quantize_weight(weight, self.weight_bits)
        return DenseLinear(weight, whole_bias)


@dataclass
class Plan(Weights):
    """Writes down what is asked for; answers with tensors that hold nothing."""

    device: torch.device = field(default_factory=lambda: torch.device("meta"))
    dtype: torch.dtype = torch.float32
    #: Name to shape, in the order of asking.
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    #: Beginnings or ends of names of tensors that may be there and are not asked for.
    inert_names: tuple[str, ...] = ()
    #: What the tensors take on the device.
    n_bytes: int = 0

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Note the name and the shape."""
        self.shapes[name] = shape
        empty = torch.empty(shape, dtype=dtype or self.dtype, device="meta")
        self.n_bytes += empty.nbytes
        return empty

    def inert(self, *names: str) -> None:
        """Note the names."""
        self.inert_names += names

    def linear(
        self,
        names: str | Sequence[str],
        n_in: int,
        *n_out: int,
        bias: bool = False,
        rounded: bool = True,
    ) -> Linear:
        """Note the names, and count rounded weights by their bits."""
        linear = super().linear(names, n_in, *n_out, bias=bias, rounded=rounded)
        if rounded and self.weight_bits is not None:
            n_weights = n_in * sum(n_out)
            self.n_bytes -= n_weights * self.dtype.itemsize - n_weights * self.weight_bits // 8
        return linear


class Shards(Weights):
    """The safetensors files of a folder, one open at a time.

    Args:
        folder: holds `model.safetensors`, or its index and the shards it names.
        device: see `Weights`.
        dtype: see `Weights`.
        weight_bits: see `Weights`.

    Raises:
        ModelLoadFailed: a file is missing or damaged.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        weight_bits: WeightBits | None = None,
    ) -> None:
        super().__init__(device, dtype, weight_bits)
        self._folder = folder
        self._open_name = ""
        self._file_of = self._list_tensors()

    def check(self, plan: Plan) -> None:
        """Compare what is asked for with what there is.

        Raises:
            ModelLoadFailed: tensors are missing, left over, of another shape or rounded; it names
                them.
        """
        missing = [name for name in plan.shapes if name not in self._file_of]
        extra = [
            name
            for name in sorted(self._file_of.keys() - plan.shapes.keys())
            if not (name.endswith(plan.inert_names) or name.startswith(plan.inert_names))
        ]
        problems = []
        if missing:
            problems.append(f"missing tensors: {_listed(missing)}")
        if extra:
            problems.append(f"unexpected tensors: {_listed(extra)}")
        if not problems:
            stored = {name: self._stored(name) for name in plan.shapes}
            misshapen = [
                f"{name} is {list(stored[name][0])}, not {list(shape)}"
                for name, shape in plan.shapes.items()
                if stored[name][0] != shape
            ]
            mistyped = [
                f"{name} is {kind}"
                for name, (_, kind) in stored.items()
                if kind not in _PLAIN_DTYPES
            ]
            if misshapen:
                problems.append(f"tensors of another shape: {_listed(misshapen)}")
            if mistyped:
                problems.append(
                    f"tensors not of floating point ({', '.join(_PLAIN_DTYPES)}), "
                    f"which only a quantized checkpoint has: {_listed(mistyped)}"
                )
        if problems:
            raise ModelLoadFailed(f"{self._folder}: {'; '.join(problems)}")

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Read a tensor onto the device; see `Weights.tensor`."""
        del shape  # checked by `check`
        file = self._open(self._file_of[name])
        try:
            tensor: Tensor = file.get_tensor(name)
        except SafetensorError as error:
            raise self._damaged(self._file_of[name], error) from error
        if tensor.is_floating_point():
            tensor = tensor.to(dtype or self.dtype)
        return tensor.to(self.device)

    def inert(self, *names: str) -> None:
        """What is not asked for is not read."""

    def _stored(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return a tensor's shape and dtype, without reading it."""
        found = self._open(self._file_of[name]).get_slice(name)
        return tuple(found.get_shape()), found.get_dtype()

    def _list_tensors(self) -> dict[str, str]:
        """Map each tensor to the file that has it."""
        index = self._folder / INDEX_FILE
        if not index.exists():
            return dict.fromkeys(self._open(WEIGHTS_FILE).keys(), WEIGHTS_FILE)
        listed: dict[str, str] = read_json(index).get("weight_map", {})
        for file_name in sorted(set(listed.values())):
            found = set(self._open(file_name).keys())
            promised = {name for name, where in listed.items() if where == file_name}
            if found != promised:
                raise ModelLoadFailed(
                    f"{self._folder / file_name} is not what {INDEX_FILE} says: "
                    f"{_listed(sorted(found ^ promised))}; download it again"
                )
        return listed

    def _open(self, file_name: str) -> safe_open:
        """Return the file, closing the one that was open: the memory of one shard is enough."""
        if file_name != self._open_name:
            try:
                self._file = safe_open(self._folder / file_name, framework="pt")
            except (OSError, SafetensorError) as error:
                raise self._damaged(file_name, error) from error
            self._open_name = file_name
        return self._file

    def _damaged(self, file_name: str, error: Exception) -> ModelLoadFailed:
        return ModelLoadFailed(
            f"{self._folder / file_name} is missing, cut short or damaged ({error}); "
            "download it again"
        )


def is_int8_here(weight: Tensor) -> bool:
    """Whether the processor has kernels that multiply a weight in 8 bits with such activations."""
    is_float = weight.device.type == "cpu" and weight.dtype == torch.float32
    return is_float and kernel() is not None


def _listed(names: Sequence[str]) -> str:
    """Spell out the first few names and count the rest."""
    rest = len(names) - _N_NAMED
    return ", ".join(names[:_N_NAMED]) + (f" and {rest} more" if rest > 0 else "")
