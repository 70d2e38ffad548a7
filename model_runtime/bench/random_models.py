"""Models on a device with random weights at real sizes, drawn there: nothing is read or sent."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.bench.made import SIZES
from model_runtime.models import MODELS
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.gated import BaseConfig, GatedModel, Layer
from model_runtime.models.layers import DenseLinear, Embedding
from model_runtime.models.parts.checkpoint import Weights
from model_runtime.models.parts.config import parse_config
from model_runtime.models.parts.family import Family
from model_runtime.models.parts.quantize import quantize_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.models.parts.quantize import WeightBits

#: Qwen2.5's, and tokens of a canvas and its context.
_VOCABULARY, _MAX_LENGTH = 151_936, 4096
#: The published configurations, what changes the numbers of it.
_FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "dream-7b": ("dream", {
        "vocab_size": 152_064, "hidden_size": 3584, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18_944,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 2048,
        "mask_token_id": 151_666, "hidden_act": "silu", "tie_word_embeddings": False,
        "architectures": ["DreamModel"],
    }),
    "llada-8b": ("llada", {
        "vocab_size": 126_464, "embedding_size": 126_464, "d_model": 4096, "n_layers": 32,
        "n_heads": 32, "n_kv_heads": 32, "mlp_hidden_size": 12_288, "rms_norm_eps": 1e-5,
        "rope_theta": 5e5, "max_sequence_length": 4096, "mask_token_id": 126_336,
        "weight_tying": False, "architectures": ["LLaDAModelLM"],
    }),
}  # fmt: skip
FAMILIES = tuple(_FAMILIES)


def drawn(
    rng: torch.Generator,
    shape: Sequence[int],
    device: torch.device | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Return weights that keep the size of what they map.

    A strip is drawn on the processor and repeated: all of a model would take minutes.
    """
    n_rows, *others = shape
    strip = torch.randn(min(n_rows, 512), *others, generator=rng) / shape[-1] ** 0.5
    whole: Tensor = strip.to(device, dtype).repeat(-(-n_rows // len(strip)), *[1] * len(others))
    return whole[:n_rows].contiguous()


def random_base(
    size: str,
    device: torch.device,
    dtype: torch.dtype,
    *,
    n_layers: int | None = None,
    weight_bits: WeightBits | None = None,
) -> CanvasDenoiser:
    """Return a Qwen2.5-Coder base; the same numbers for a seed on every device.

    Args:
        size: of `SIZES`.
        device: where it computes.
        dtype: of its weights.
        n_layers: fewer than it has; None takes all.
        weight_bits: round linear maps to so many bits.
    """
    shape = SIZES[size]
    config = BaseConfig(
        n_layers=n_layers or shape.n_layers, width=shape.width, n_heads=shape.n_heads,
        n_kv_heads=shape.n_kv_heads, head_dim=shape.width // shape.n_heads,
        mlp_width=shape.mlp_width, rope_base=1e6, norm_eps=1e-6, vocab_size=_VOCABULARY,
        max_length=_MAX_LENGTH,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(0)

    def linear(n_out: int, n_in: int) -> DenseLinear:
        weight = drawn(rng, (n_out, n_in), device, dtype)
        return DenseLinear(weight if weight_bits is None else quantize_weight(weight, weight_bits))

    def norm() -> Tensor:
        return torch.ones(config.width).to(device, dtype)

    n_query, n_key = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    layers = [
        Layer(
            norm(), linear(n_query + 2 * n_key, config.width), linear(config.width, n_query),
            norm(), linear(2 * config.mlp_width, config.width),
            linear(config.width, config.mlp_width),
        )
        for _ in range(config.n_layers)
    ]  # fmt: skip
    table = drawn(rng, (_VOCABULARY, config.width), device, dtype)
    model = GatedModel(config, Embedding(table), layers, norm(), DenseLinear(table))
    return CanvasDenoiser(model, _VOCABULARY - 1, _MAX_LENGTH)


class Drawn(Weights):
    """Answers with random tensors, on a device the same for the same name."""

    def __init__(
        self, device: torch.device | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(device or torch.device("cpu"), dtype)

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Draw one: vectors are ones, the rest is of the size of what it maps."""
        tensor = torch.ones(shape, device=self.device, dtype=dtype or self.dtype)
        if len(shape) == 1:
            return tensor
        # The device's own generator: one made for it is not to be had on every device.
        torch.manual_seed(zlib.crc32(name.encode()))
        return tensor.normal_(0, shape[-1] ** -0.5)

    def inert(self, *names: str) -> None:
        """Nothing is left over."""


def random_family(
    name: str, device: torch.device, dtype: torch.dtype, *, n_layers: int | None = None
) -> Family:
    """Return one of `FAMILIES` at its published size, or with fewer layers."""
    module, values = _FAMILIES[name]
    family = MODELS.load(module)
    if not issubclass(family, Family):
        raise TypeError(module)
    if n_layers is not None:
        key = "n_layers" if "n_layers" in values else "num_hidden_layers"
        values = values | {key: n_layers}
    return family(parse_config(values, family.config_type), Drawn(device, dtype))
