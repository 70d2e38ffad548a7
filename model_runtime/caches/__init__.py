"""Key/value caches. One file each; the file name is the registry key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.registry import Registry

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache

CACHES: Registry[Cache] = Registry(__name__, "cache")
