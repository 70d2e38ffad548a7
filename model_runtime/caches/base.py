"""The contract of a cache: which keys and values a family need not compute again.

A cache decides what to feed and what to keep; the family computes. It never decides a token. One
cache is one file, and the file name is the registry key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Canvas, Update


class Cache(ABC):
    """Keys and values of one canvas."""

    #: File name and registry key.
    name: ClassVar[str]
    #: Whether predictions equal those without a cache, to rounding.
    exact: ClassVar[bool]

    @abstractmethod
    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Lay the fed rows' keys and values down and return all that the rows may attend to.

        Args:
            layer: counts from 0.
            keys: [n_rows, n_kv_heads, head_dim], rotary applied.
            values: [n_rows, n_kv_heads, head_dim].

        Returns:
            keys and values [n_kept + n_rows, n_kv_heads, head_dim], kept ones first.
        """

    @abstractmethod
    def settle(self, canvas: Canvas, update: Update) -> None:
        """Learn what the step committed: keep what is final, drop what is not."""
