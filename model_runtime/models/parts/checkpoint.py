"""Tensors by name: what a family asks for.

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

from model_runtime.models.int8 import Int8Linear, kernel, quantize_int8
from model_runtime.models.layers import DenseLinear, Embedding, Linear
from model_runtime.models.parts.quantize import WeightBits, quantize_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


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

    def stored(self, name: str, *shape: int) -> Tensor:
        """Return a tensor in the dtype it is stored in, to be rounded or copied at once."""
        return self.tensor(name, *shape)

    @abstractmethod
    def inert(self, *names: str) -> None:
        """Allow tensors that nothing asks for, whose names begin or end so."""

    @property
    def is_int8(self) -> bool:
        """Whether maps are rounded to the 8 bits that this processor multiplies in."""
        return multiplies_in_int8(self.device, self.dtype, self.weight_bits)

    def ends(
        self, embedding: str, head: str | None, n_tokens: int, width: int
    ) -> tuple[Embedding, Linear]:
        """Return the embedding [n_tokens, width], and the map `head`.weight back to the tokens.

        Both are rounded where a processor multiplies in 8 bits, as the default model's are: they
        are a third of a small model's weights. Elsewhere `weight_bits` is not for them.

        Args:
            embedding: the tensor's whole name.
            head: the map's name; None where it is the embedding.
            n_tokens: rows of both.
            width: channels.
        """
        if self.is_int8:
            again = embedding if head is None else f"{head}.weight"
            # An embedding is looked up, not multiplied, so it has room for 8 bits everywhere.
            looked_up = Embedding(*quantize_int8(self.stored(embedding, n_tokens, width), 8))
            return looked_up, Int8Linear(*quantize_int8(self.stored(again, n_tokens, width)))
        table = self.tensor(embedding, n_tokens, width)
        if head is None:
            return Embedding(table), DenseLinear(table)
        return Embedding(table), self.linear(head, width, n_tokens, rounded=False)

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
        biases = [self.tensor(f"{name}.bias", n) for name, n in sizes] if bias else []
        whole_bias = torch.cat(biases) if biases else None
        if rounded and self.is_int8:
            parts = [quantize_int8(self.stored(f"{name}.weight", n, n_in)) for name, n in sizes]
            codes, scales = (torch.cat(each) for each in zip(*parts, strict=True))
            return Int8Linear(codes, scales, whole_bias)
        weights = [self.tensor(f"{name}.weight", n, n_in) for name, n in sizes]
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        if rounded and self.weight_bits is not None and not weight.is_meta:
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
    #: Where the tensors will go.
    target: torch.device = field(default_factory=lambda: torch.device("cpu"))

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

    def ends(
        self, embedding: str, head: str | None, n_tokens: int, width: int
    ) -> tuple[Embedding, Linear]:
        """Note the names, and count what is rounded: a head of its own even where it is tied."""
        found = super().ends(embedding, head, n_tokens, width)
        if multiplies_in_int8(self.target, self.dtype, self.weight_bits):
            n_tables = 1 if head is None else 2
            self.n_bytes += n_tokens * width * (2 - n_tables * self.dtype.itemsize)
        return found


def multiplies_in_int8(
    device: torch.device, dtype: torch.dtype, weight_bits: WeightBits | None
) -> bool:
    """Whether a device is a processor that multiplies in 8 bits, and that is what was asked for."""
    is_asked = weight_bits == 8 and dtype == torch.float32  # noqa: PLR2004  # one of `WeightBits`
    return is_asked and device.type == "cpu" and kernel() is not None
