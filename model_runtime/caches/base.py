"""The contract of a cache: which keys and values a family need not compute again.

A family lays out the rows of its forward as if nothing were kept (`Rows`), the cache says which of
them to feed, and answers with the keys and values of all of them. A cache never decides a token.
One cache is one file, and the file name is the registry key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from model_runtime.decoding.canvas import Block, Canvas, Update


@dataclass(frozen=True)
class Rows:
    """The rows of one forward over a canvas, kept ones included."""

    #: [n_rows] int64: what each row is fed.
    token_ids: Tensor
    #: [n_rows] int64: its position on the canvas.
    positions: Tensor
    #: [n_rows] int64: a row attends to the first `horizon` rows at most. A row that looks only
    #: backwards has its own index + 1; one that sees everything has n_rows.
    horizon: Tensor
    #: [n_rows] bool: the token is settled, and no mask.
    settled: Tensor
    #: [n_rows] bool: its output is asked for, so it has to be fed.
    needed: Tensor

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.token_ids)


class Cache(ABC):
    """Keys and values of one canvas."""

    #: File name and registry key.
    name: ClassVar[str]
    #: Whether predictions equal those without a cache, to rounding, for the families it fits.
    exact: ClassVar[bool]
    #: How far off the approximate ones are on small random models, by their contract test: the
    #: mean error of a logit, in standard deviations of the logits, is at most this.
    error: ClassVar[float] = 0.0
    #: Forwards that were made with it: what a request costs is the difference.
    n_forwards: int = 0

    def begin(self, block: Block) -> None:  # noqa: B027  # most caches don't care
        """Learn that the loop moves on to a block."""

    def feed(self, rows: Rows) -> Tensor:
        """Return [n_fed] int64, ascending: the rows to compute in this forward."""
        return torch.arange(len(rows), device=rows.token_ids.device)

    @abstractmethod
    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Lay the fed rows' keys and values down and return all that the rows may attend to.

        Args:
            layer: counts from 0.
            keys: [..., n_fed, n_kv_heads, head_dim], rotary applied.
            values: as keys.

        Returns:
            keys and values [..., n_kept + n_fed, n_kv_heads, head_dim] in the order of the rows.
        """

    @abstractmethod
    def settle(self, canvas: Canvas, update: Update) -> None:
        """Learn what the step committed: keep what is final, drop what is not."""


class KeptRows(Cache):
    """Keys and values by row: a rule says which of the rows seen before to keep.

    A row counts as seen when the last forward laid down, at the same index, a row with the same
    token, position and horizon; so nothing stale is used when a canvas was changed in between.
    """

    def __init__(self) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        #: [3, n_rows]: token, position and horizon of each row; [n_rows]: settled when computed.
        self._seen: Tensor | None = None
        self._settled: Tensor | None = None
        self._fed: Tensor | None = None

    @abstractmethod
    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Say which rows not to compute again.

        Args:
            rows: of the forward to come.
            same: [n_rows] bool, which were seen before, unchanged.
            settled: [n_rows] bool, which of those held a settled token when they were computed.

        Returns:
            [n_rows] bool; only where `same`.
        """

    def feed(self, rows: Rows) -> Tensor:
        """Feed what is not kept, and what is needed; see `Cache.feed`."""
        identity = torch.stack((rows.token_ids, rows.positions, rows.horizon))
        same, settled = self._compare(identity)
        fed = ~(self.keep(rows, same, settled) & same) | rows.needed
        self._seen = identity
        self._settled = torch.where(fed, rows.settled, settled)
        self._fed = fed.nonzero().squeeze(1)
        return self._fed

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write the fed rows over the ones laid down before; see `Cache.extend`."""
        if self._fed is None or self._seen is None:
            raise RuntimeError("a cache is asked what to feed before it is extended")
        n_rows = self._seen.shape[1]
        if layer == len(self._keys):
            self._keys.append(keys[..., :0, :, :])
            self._values.append(values[..., :0, :, :])
        self._keys[layer] = _lay_down(self._keys[layer], keys, self._fed, n_rows)
        self._values[layer] = _lay_down(self._values[layer], values, self._fed, n_rows)
        return self._keys[layer][..., :n_rows, :, :], self._values[layer][..., :n_rows, :, :]

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Forget everything when positions moved; a changed token shows by itself."""
        del canvas
        if update.source is not None:
            self.forget()

    def forget(self) -> None:
        """Keep nothing."""
        self._seen = None

    def _compare(self, identity: Tensor) -> tuple[Tensor, Tensor]:
        n_rows = identity.shape[1]
        same = torch.zeros(n_rows, dtype=torch.bool, device=identity.device)
        settled = same.clone()
        if self._seen is not None and self._settled is not None:
            n_both = min(n_rows, self._seen.shape[1])
            same[:n_both] = (identity[:, :n_both] == self._seen[:, :n_both]).all(dim=0)
            settled[:n_both] = self._settled[:n_both]
        return same, settled & same


def closed_run(rows: Rows, same: Tensor) -> Tensor:
    """Return [n_rows] bool: the longest leading run of `same` rows that see nothing beyond it.

    What these rows attend to is what it was when they were computed, so keeping them is exact.
    """
    # Looked at on the processor, in one transfer: some devices have no running maximum.
    is_same, horizon = torch.stack((same.long(), rows.horizon)).cpu()
    n_same = int(is_same.cumprod(dim=0).sum())
    reach = horizon[:n_same].cummax(dim=0).values
    closed = (reach <= torch.arange(1, n_same + 1)).nonzero()
    run = torch.zeros_like(same)
    if len(closed) > 0:
        run[: int(closed[-1]) + 1] = True
    return run


def _lay_down(kept: Tensor, fresh: Tensor, fed: Tensor, n_rows: int) -> Tensor:
    """Write `fresh` [..., n_fed, heads, channels] at rows `fed`, making room for `n_rows`."""
    if kept.shape[-3] < n_rows:
        # Twice the need, so that a canvas that grows row by row is not copied row by row.
        room = kept.new_empty(*fresh.shape[:-3], 2 * n_rows, *fresh.shape[-2:])
        room[..., : kept.shape[-3], :, :] = kept
        kept = room
    kept[..., fed, :, :] = fresh
    return kept
