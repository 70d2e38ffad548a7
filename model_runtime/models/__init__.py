"""Model families. One file each; the file name is the registry key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.registry import Registry

if TYPE_CHECKING:
    from model_runtime.models.base import Denoiser

MODELS: Registry[Denoiser] = Registry(
    __name__,
    "model family",
    besides=frozenset(
        {
            "adapter",
            "attention",
            "capture",
            "captured",
            "crossing",
            "gate",
            "gated",
            "int4",
            "int8",
            "layers",
            "packed",
            "rows",
            "side_by_side",
            "weights",
        }
    ),
)
