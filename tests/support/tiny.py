"""Families in small: a configuration in `tests/model_runtime/models/tiny`, and random weights.

The file name begins with the family's name; what follows a dash names a variant.
"""

from __future__ import annotations

import functools
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from model_runtime.models import MODELS
from model_runtime.models.parts.checkpoint import Plan, Weights
from model_runtime.models.parts.config import parse_config

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.models.parts.family import Family

FOLDER = Path(__file__).resolve().parents[1] / "model_runtime" / "models" / "tiny"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*.json"))


class RandomWeights(Weights):
    """Answers with random tensors; the same name gets the same numbers every time."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(torch.device("cpu"), dtype)

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Draw a tensor whose size suits what it is."""
        rng = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        noise = torch.randn(shape, generator=rng)
        if any(part in name for part in ("norm", "ln_f", "scal")):
            noise = 1 + 0.1 * noise
        elif "embed" not in name and "wte" not in name:
            noise = noise * shape[-1] ** -0.5
        return noise.to(dtype or self.dtype)

    def inert(self, *names: str) -> None:
        """Nothing is left over."""


def config_of(variant: str) -> dict[str, Any]:
    """Return a variant's configuration."""
    values: dict[str, Any] = json.loads((FOLDER / f"{variant}.json").read_text(encoding="utf-8"))
    return values


def class_of(variant: str) -> type[Family]:
    """Return a variant's family."""
    return MODELS.load(variant.split("-", maxsplit=1)[0])  # type: ignore[return-value]  # one with a checkpoint


@functools.cache
def tiny(variant: str, dtype: torch.dtype = torch.float32) -> Family:
    """Make a variant with random weights. Shared: leave its attributes as they are."""
    family = class_of(variant)
    return family(parse_config(config_of(variant), family.config_type), RandomWeights(dtype))


def write_checkpoint(variant: str, folder: Path, **changes: object) -> Path:
    """Write a variant as it would be published: `config.json`, with changes, and its tensors."""
    config = config_of(variant)
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    save_file(tensors_of(variant), folder / "model.safetensors")
    return folder


def tensors_of(variant: str) -> dict[str, Tensor]:
    """Return a variant's tensors by name."""
    family, plan, weights = class_of(variant), Plan(), RandomWeights()
    family(parse_config(config_of(variant), family.config_type), plan)
    return {name: weights.tensor(name, *shape) for name, shape in plan.shapes.items()}
