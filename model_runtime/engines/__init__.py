"""Engines: text in, text out. One file each; the file name is the registry key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.registry import Registry

if TYPE_CHECKING:
    from model_runtime.engines.base import Engine

ENGINES: Registry[Engine] = Registry(__name__, "engine", besides=frozenset({"contexts", "loading"}))
