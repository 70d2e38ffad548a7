"""Keys and values of a causal context, kept while the context only grows at its end.

Exact: a causal row never looks ahead, so what was computed once stays true. Rows fed behind the
kept ones may look at each other in any way; they are overwritten by the next forward unless they
are kept. Rows that `modes.carried` brings along are the exception: the cache knows them, and they
may be there ahead of what stands before them, which the next forward then feeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.caches.base import Cache

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Canvas, Update


@dataclass(frozen=True)
class Ahead:
    """Rows that are kept although some that stand before them are still to be fed."""

    #: Where they begin.
    start: int
    #: [n_rows] what they stand for.
    token_ids: list[int]
    #: Tokens of what stands before them that they have not seen.
    n_unseen: int

    @property
    def end(self) -> int:
        """Where they end."""
        return self.start + len(self.token_ids)


class CausalCache(Cache):
    """The prefix of a canvas through the base, and the token ids it stands for.

    Args:
        n_layers: layers of the model.
        n_kv_heads: key heads of a layer.
        head_dim: channels of a head.
        dtype: of keys and values.
        device: where they live.
    """

    name: ClassVar[str] = "causal"
    exact: ClassVar[bool] = True
    _GROWTH = 512

    def __init__(
        self,
        n_layers: int,
        n_kv_heads: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self._shape = (n_layers, n_kv_heads, head_dim)
        self._keys = torch.empty(n_layers, 0, n_kv_heads, head_dim, dtype=dtype, device=device)
        self._values = self._keys.clone()
        #: [n_kept] the token ids whose rows are kept.
        self.token_ids: list[int] = []
        #: The first row that is not exact, see `bring`, and how many tokens it has not seen.
        self._first_inexact = 0
        self.n_unseen = 0
        #: What the next forward need not feed, however far in front of it that begins.
        self.ahead: Ahead | None = None

    def __len__(self) -> int:
        """Return the number of kept rows."""
        return len(self.token_ids)

    @property
    def n_ahead(self) -> int:
        """Rows that the next forward need not feed."""
        return 0 if self.ahead is None else len(self.ahead.token_ids)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write the fed rows behind the kept ones, and around those ahead; see `Cache.extend`."""
        start, end = len(self), len(self) + len(keys) + self.n_ahead
        if end > self._keys.shape[1]:
            self._reserve(end)
        n_before = len(keys) if self.ahead is None else self.ahead.start - start
        for kept, fed in ((self._keys[layer], keys), (self._values[layer], values)):
            kept[start : start + n_before] = fed[:n_before]
            kept[start + n_before + self.n_ahead : end] = fed[n_before:]
        return self._keys[layer, :end], self._values[layer, :end]

    def lay_down(self, keys: Tensor, values: Tensor) -> None:
        """Write all layers' fed rows behind the kept ones, as `extend` does layer by layer.

        Args:
            keys: [n_layers, n_fed, n_kv_heads, head_dim], rotary applied.
            values: as keys.
        """
        start, end = len(self), len(self) + keys.shape[1]
        if end > self._keys.shape[1]:
            self._reserve(end)
        self._keys[:, start:end], self._values[:, start:end] = keys, values

    def kept_rows(self) -> tuple[Tensor, Tensor]:
        """Return all layers' kept keys and values; see `kept`."""
        return self._keys[:, : len(self)], self._values[:, : len(self)]

    def kept(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return a layer's kept keys and values, each [n_kept, n_kv_heads, head_dim]."""
        return self._keys[layer, : len(self)], self._values[layer, : len(self)]

    def keep(self, token_ids: list[int]) -> None:
        """Keep the first rows of the last forward, and those ahead: they stand for `token_ids`."""
        self.token_ids.extend(token_ids)
        if self.ahead is not None:
            self._first_inexact, self.n_unseen = self.ahead.start, self.ahead.n_unseen
            self.ahead = None

    def copy(self) -> CausalCache:
        """Return a cache that holds the same rows, for someone else to go on from."""
        twin = CausalCache(*self._shape, self._keys.dtype, self._keys.device)
        twin._keys, twin._values = self.rows(0, len(self))  # of its own kind
        twin.token_ids = list(self.token_ids)
        twin._first_inexact, twin.n_unseen = self._first_inexact, self.n_unseen
        return twin

    def rows(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        """Return copies of kept keys and values, each [n_layers, n_rows, n_kv_heads, head_dim]."""
        return self._keys[:, start:end].clone(), self._values[:, start:end].clone()

    def bring(self, rows: Ahead, keys: Tensor, values: Tensor) -> None:
        """Take rows that were encoded elsewhere.

        Right behind the kept ones they are kept at once, else with what the next forward feeds.

        Args:
            rows: what they are.
            keys: [n_layers, n_rows, n_kv_heads, head_dim], turned to where they are put.
            values: as keys.
        """
        if rows.end > self._keys.shape[1]:
            self._reserve(rows.end)
        place = slice(rows.start, rows.end)
        self._keys[:, place], self._values[:, place] = keys, values
        self.ahead = rows
        if rows.start == len(self):
            self.keep(rows.token_ids)

    def drop_inexact(self) -> None:
        """Forget the rows that were put here by `bring`, and what stands behind them."""
        self.ahead = None
        if self.n_unseen:
            self._cut(self._first_inexact)

    def n_common(self, token_ids: list[int]) -> int:
        """Return how many of the kept rows are what `token_ids` begins with."""
        pairs = zip(self.token_ids, token_ids, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def rewind(self, token_ids: list[int]) -> None:
        """Forget everything from the first row on that is not what `token_ids` begins with."""
        n_common = self.n_common(token_ids)
        if (ahead := self.ahead) is not None and (
            n_common < len(self) or token_ids[ahead.start : ahead.end] != ahead.token_ids
        ):
            self.ahead = None
        self._cut(n_common)

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Nothing to do: what may be kept shows when the next rows are fed (`rewind`)."""

    def _cut(self, n_kept: int) -> None:
        del self.token_ids[n_kept:]
        if n_kept <= self._first_inexact:
            self.n_unseen = 0

    def _reserve(self, n_rows: int) -> None:
        n_layers, n_kv_heads, head_dim = self._shape
        capacity = -(-n_rows // self._GROWTH) * self._GROWTH
        for name in ("_keys", "_values"):
            old = getattr(self, name)
            new = old.new_empty(n_layers, capacity, n_kv_heads, head_dim)
            new[:, : old.shape[1]] = old
            setattr(self, name, new)
