"""Decoding rules. One file each; the file name is the registry key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_runtime.registry import Registry

if TYPE_CHECKING:
    from model_runtime.samplers.base import Sampler

SAMPLERS: Registry[Sampler[Any, Any]] = Registry(__name__, "sampler")
