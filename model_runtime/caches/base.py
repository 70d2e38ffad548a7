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
    from collections.abc import Callable

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
    #: (keys [..., n_rows, heads, channels], places [n_rows]) -> the keys as they are where each row
    #: stands so many places further on; None where a family's keys can't be turned.
    turn: Callable[[Tensor, Tensor], Tensor] | None = None

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
    #: Rows that were computed in them.
    n_rows: int = 0

    def drop_inexact(self) -> None:  # noqa: B027  # most caches live no longer than a request
        """Forget what an earlier request left that is not just right for another one."""

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

    #: Whether rows are taken along where a canvas grows or shrinks before them; else all is
    #: forgotten then. Rotary keys depend on their place by a turn alone (Su et al. 2021, arXiv
    #: 2104.09864, eq. 16), so it is the new neighbours that such a row has not seen, and no more.
    moves: ClassVar[bool] = False

    def __init__(self) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        #: [3, n_rows]: token, position and horizon of each row; [n_rows]: settled when computed.
        self._seen: Tensor | None = None
        self._settled: Tensor | None = None
        self._fed: Tensor | None = None
        self._turn: Callable[[Tensor, Tensor], Tensor] | None = None

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
        self._turn = rows.turn
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
        """Move rows along, or forget them, where positions moved; a changed token shows itself."""
        del canvas
        if update.source is not None and self.moves:
            self.move(update.source)
        elif update.source is not None:
            self.forget()

    def move(self, source: Tensor) -> None:
        """Let rows stand where others do now, their keys turned to their new places.

        Args:
            source: [n_rows] int64: the row that each new one was, -1 for one that is new.
        """
        if self._seen is None or self._settled is None or self._turn is None:
            self.forget()
            return
        source = source.to(self._seen.device)
        n_old, places = self._seen.shape[1], torch.arange(len(source), device=source.device)
        is_kept, old = (source >= 0) & (source < n_old), source.clamp(0, n_old - 1)
        moved = (places - old).where(is_kept, 0)
        token_ids, _, horizon = self._seen[:, old]
        # A row that saw all there was goes on seeing all there is.
        horizon = horizon.where(horizon != n_old, len(source))
        self._seen = torch.stack((token_ids.where(is_kept, -1), places, horizon))
        self._settled = self._settled[old] & is_kept
        for layer, keys in enumerate(self._keys):
            self._keys[layer] = self._turn(keys[..., old, :, :], moved)
            self._values[layer] = self._values[layer][..., old, :, :]

    def drop_inexact(self) -> None:
        """Forget everything: it saw another canvas."""
        if not self.exact:
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
