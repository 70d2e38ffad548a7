"""From files to a `GatedModel`: the converted base, and the adapter laid on it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.adapter import ADAPTED, Adapter, Link, LowRank
from model_runtime.models.gated import BaseConfig, GatedModel, Layer
from model_runtime.models.int4 import Int4Linear
from model_runtime.models.int8 import Int8Linear, OneDnn, kernel
from model_runtime.models.layers import DenseLinear, Embedding, Linear
from model_runtime.models.packed import PackedFile, open_packed
from model_runtime.models.parts.quantize import quantize_weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from model_runtime.models.parts.quantize import WeightBits

#: Written by `weights.convert`, read here.
WEIGHTS_FILE = "weights.safetensors"
CONFIG_FILE = "config.json"


CPU = torch.device("cpu")


class TensorFile:
    """Named tensors of one safetensors file, mapped from disk.

    Args:
        path: the file.
        device: where tensors go when they are read.

    Raises:
        ModelLoadFailed: it is missing, or no safetensors file.
    """

    def __init__(self, path: Path, device: torch.device = CPU) -> None:
        try:
            self._file = safe_open(path, framework="pt")
        except (OSError, SafetensorError) as error:
            raise ModelLoadFailed(
                f"{path} can't be read ({error}); delete its folder and try again"
            ) from error
        self._path, self._device = path, device
        self.names = frozenset(self._file.keys())
        self.metadata: dict[str, str] = self._file.metadata() or {}

    def __getitem__(self, name: str) -> Tensor:
        """Return one tensor.

        Raises:
            ModelLoadFailed: there is none of that name.
        """
        if name not in self.names:
            raise ModelLoadFailed(f"{self._path} has no tensor {name!r}")
        tensor: Tensor = self._file.get_tensor(name)
        return tensor.to(self._device)

    def linear(
        self, name: str, rows: Tensor | None = None, int8: type[Int8Linear] = Int8Linear
    ) -> Linear:
        """Return a linear map of all output channels or some.

        Args:
            name: of the weight.
            rows: [n] output channels; None for all.
            int8: what to make of a weight that has scales.
        """
        rows = None if rows is None else rows.to(self[name].device)
        weight = self[name] if rows is None else self[name][rows]
        bias = self.small(f"{name}.bias") if f"{name}.bias" in self.names else None
        if f"{name}.scale" not in self.names:
            return DenseLinear(weight, bias)
        scale = self.small(f"{name}.scale")
        scale = scale if rows is None else scale[rows]
        # One scale for each group of inputs is int4's.
        return int8(weight, scale, bias) if scale.dim() == 1 else Int4Linear(weight, scale, bias)

    def small(self, name: str) -> Tensor:
        """Return a copy of one tensor: a view of the file would hold on to all that was read."""
        return self[name].clone()

    def int8_weights(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the name and the weight of every linear map in int8."""
        for name in sorted(self.names):
            if f"{name}.scale" in self.names and name != "embedding":
                weight = self[name]
                if weight.dtype == torch.int8:
                    yield name, weight

    def mapped(self, name: str, packed: PackedFile) -> Linear:
        """Return a linear map of all output channels, mapped where it is in int8."""
        if f"{name}.scale" not in self.names or self[name].dtype != torch.int8:
            return self.linear(name)
        bias = self.small(f"{name}.bias") if f"{name}.bias" in self.names else None
        return packed.linear(name, self.small(f"{name}.scale"), bias, self[name].shape[1])


def read_config(folder: Path) -> BaseConfig:
    """Return a converted base's shape.

    Raises:
        ModelLoadFailed: the file is missing or damaged.
    """
    try:
        return BaseConfig(**json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelLoadFailed(
            f"{folder / CONFIG_FILE} can't be read ({error}); delete the folder and try again"
        ) from error


def load_base(
    folder: Path,
    mask_fallback_id: int,
    int8: type[Int8Linear] = Int8Linear,
    device: torch.device = CPU,
    max_length: int | None = None,
    weight_bits: WeightBits | None = None,
) -> GatedModel:
    """Load a converted base.

    Args:
        folder: made by `weights.convert`.
        mask_fallback_id: see `GatedModel`.
        int8: the class for int8 weights; training brings one that has a gradient.
        device: where to compute.
        max_length: no position reaches it, which saves memory; None takes what the base was
            trained for.
        weight_bits: round floating weights of linear maps to so many bits; see `parts.quantize`.

    Raises:
        ModelLoadFailed: a file or a tensor is missing or damaged.
    """
    config = read_config(folder)
    if max_length is not None:
        config = replace(config, max_length=min(max_length, config.max_length))

    def opened() -> TensorFile:
        # Whoever packs weights opens the file anew, so that what was read goes when it is done.
        return TensorFile(folder / WEIGHTS_FILE, device)

    # A class of one's own wants the plain weights.
    is_mapped = int8 is Int8Linear and device.type == "cpu" and isinstance(kernel(), OneDnn)
    packed = open_packed(folder, opened().int8_weights()) if is_mapped else None

    def linear(file: TensorFile, name: str) -> Linear:
        made = file.linear(name, int8=int8) if packed is None else file.mapped(name, packed)
        if weight_bits is not None and isinstance(made, DenseLinear):
            return DenseLinear(quantize_weight(made.weight, weight_bits), made.bias)
        return made

    def layer(index: int) -> Layer:
        file, name = opened(), f"layers.{index}"
        return Layer(
            attention_norm=file.small(f"{name}.attention_norm"),
            qkv=linear(file, f"{name}.qkv"),
            out=linear(file, f"{name}.out"),
            mlp_norm=file.small(f"{name}.mlp_norm"),
            gate_up=linear(file, f"{name}.gate_up"),
            down=linear(file, f"{name}.down"),
            query_norm=file.small(f"{name}.query_norm") if config.head_norms else None,
            key_norm=file.small(f"{name}.key_norm") if config.head_norms else None,
        )

    file = opened()
    scale = file["embedding.scale"] if "embedding.scale" in file.names else None

    def made(head: Linear, layers: Sequence[Layer]) -> GatedModel:
        return GatedModel(
            config,
            Embedding(file["embedding"], scale),
            layers,
            file["final_norm"],
            head,
            mask_fallback_id,
            file["rope_factors"] if config.has_rope_factors else None,
        )

    if device.type != "cpu":
        # Nothing is packed: the way to the device is what takes time.
        return made(linear(file, "head"), [layer(index) for index in range(config.n_layers)])
    # Packing a weight takes one core; the head is about as much work as all layers.
    with ThreadPoolExecutor(2) as pool:
        head = pool.submit(lambda: linear(opened(), "head"))
        layers = list(pool.map(layer, range(config.n_layers)))
        return made(head.result(), layers)


def load_adapter(path: Path, model: GatedModel) -> Adapter:
    """Load an adapter.

    Args:
        path: made by `training`.
        model: the base that it was trained on.

    Raises:
        ModelLoadFailed: the file is missing, damaged or made for another base.
    """
    file = TensorFile(path, model.device)
    n_layers, width, dtype = model.config.n_layers, model.config.width, model.dtype
    has_all_layers = f"layers.{n_layers - 1}.qkv.down" in file.names
    has_more = f"layers.{n_layers}.qkv.down" in file.names
    if not has_all_layers or has_more or file["mask_embedding"].shape[-1] != width:
        raise ModelLoadFailed(f"{path} was made for another base model than this one")

    def low_rank(index: int, part: str) -> LowRank:
        name = f"layers.{index}.{part}"
        down, up = file[f"{name}.down"].to(dtype), file[f"{name}.up"].to(dtype)
        # Laid out as the products read them, which for a few rows is a third faster.
        return LowRank(down.t().contiguous().t(), up.t().contiguous().t())

    qkv, out, gate_up, down = ADAPTED
    return Adapter(
        mask_embedding=file["mask_embedding"].to(dtype),
        layers=[
            (
                low_rank(index, qkv),
                low_rank(index, out),
                low_rank(index, gate_up),
                low_rank(index, down),
            )
            for index in range(n_layers)
        ],
        vocabulary=file["vocabulary"].long(),
        link=Link(file["link.down"].to(dtype), file["link.up"].to(dtype)),
    )


def attach_adapter(
    model: GatedModel, folder: Path, adapter: Adapter, int8: type[Int8Linear] = Int8Linear
) -> None:
    """Put an adapter on a loaded base, with the head's rows for the adapter's vocabulary."""
    head = TensorFile(folder / WEIGHTS_FILE, model.device).linear("head", adapter.vocabulary, int8)
    model.attach(adapter, head)
