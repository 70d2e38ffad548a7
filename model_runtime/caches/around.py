"""What stands around the open spans is kept, from step to step and from canvas to canvas.

Fast-dLLM's dual cache (Wu et al. 2025, arXiv 2505.22618, section 3.2) for editing: what is computed
at a step are the open positions, and what is kept is the file around them. Three things are added.
Where a span grows or shrinks, what stands behind it is turned to its new place (`KeptRows.move`).
A canvas of the same file, of another length or with something typed in it, begins with what both
have at their beginning and at their end (`align`). And several ways to fill the same place are
evaluated beside each other over the same kept rows (`Beside`).

An approximation: a kept row saw the canvas as it was when the row was computed. After as many
settled tokens as Fast-dLLM's block has, everything is computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.caches.base import Cache, KeptRows, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Canvas, Update

#: Settled tokens that the kept rows need not have seen.
REFRESH = 32


class AroundCache(KeptRows):
    """Keeps the rows outside the open positions.

    Args:
        refresh: see `REFRESH`.
    """

    name: ClassVar[str] = "around"
    exact: ClassVar[bool] = False
    error: ClassVar[float] = 0.1
    moves: ClassVar[bool] = True

    def __init__(self, refresh: int = REFRESH) -> None:
        super().__init__()
        self._refresh = refresh
        #: The positions that may change; None where that is not known.
        self._open: Tensor | None = None
        #: Tokens settled, come or gone since everything was computed.
        self._n_unseen = 0
        self._n_settled = 0
        self._mask_id: int | None = None

    def begin(self, block: Block) -> None:
        """Stand for the block's canvas, and learn which positions are open."""
        self._mask_id = block.mask_id
        self.align(block.token_ids)
        self._open = ~block.given
        self._n_settled = _n_settled(block.token_ids, block.given, block.mask_id)

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep what is not open; nothing where too much of it is stale."""
        del rows, settled
        if self._open is None or len(self._open) < len(same) or self.is_stale:
            self._n_unseen = 0
            return torch.zeros_like(same)
        return same & ~self._open[: len(same)].to(same.device)

    @property
    def is_stale(self) -> bool:
        """Whether the next forward computes everything again."""
        return self._seen is None or self._n_unseen >= self._refresh

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Count what the kept rows have not seen, and move them; see `KeptRows.settle`."""
        super().settle(canvas, update)
        n_settled = _n_settled(canvas.token_ids, canvas.given, canvas.mask_id)
        self._n_unseen += max(0, n_settled - self._n_settled)
        self._open, self._n_settled = ~canvas.given, n_settled

    def n_kept(self, token_ids: Tensor, opened: slice) -> int:
        """Return how many rows around what is open stay where another canvas [length] comes."""
        n_head, n_tail = self._ends(token_ids)
        n_before: int = opened.start
        n_behind: int = len(token_ids) - opened.stop
        return min(n_head, n_before) + min(n_tail, n_behind)

    def align(self, token_ids: Tensor, opened: slice | None = None) -> None:
        """Let the rows stand for another canvas, as far as it begins and ends like this one.

        Args:
            token_ids: [length] int64: the canvas to come.
            opened: which of its positions are open; None where `begin` tells.
        """
        if opened is not None:
            self._open = torch.zeros(len(token_ids), dtype=torch.bool)
            self._open[opened] = True
        if self._seen is None:
            return
        old, new = self._seen[0], token_ids.to(self._seen.device)
        n_head, n_tail = self._ends(token_ids)
        if n_head + n_tail == len(old) == len(new):
            return
        source = torch.full_like(new, -1)
        source[:n_head] = torch.arange(n_head).to(new)
        source[len(new) - n_tail :] = torch.arange(len(old) - n_tail, len(old)).to(new)
        # Masks say little: that some have come or gone, a row need not have seen.
        between = (ids[n_head : len(ids) - n_tail] for ids in (old, new))
        self._n_unseen += max(
            int(ids.ne(-1 if self._mask_id is None else self._mask_id).sum()) for ids in between
        )
        self.move(source)

    def _ends(self, token_ids: Tensor) -> tuple[int, int]:
        """Return how many tokens the kept rows share with a canvas at its start, and at its end."""
        if self._seen is None:
            return 0, 0
        old, new = self._seen[0].cpu(), token_ids.cpu()
        n_most = min(len(old), len(new))
        n_head = _n_same(old, new, n_most)
        return n_head, _n_same(old.flip(0), new.flip(0), n_most - n_head)

    def n_between(self, context: Tensor, behind: Tensor) -> int | None:
        """Return how many rows stand between two texts that the kept rows begin and end with.

        None where they begin or end otherwise, or have to be computed again.
        """
        if self._seen is None or self.is_stale:
            return None
        old = self._seen[0].cpu()
        n_between = len(old) - len(context) - len(behind)
        if n_between < 0:
            return None
        ends = torch.equal(old[: len(context)], context) and torch.equal(
            old[len(old) - len(behind) :], behind
        )
        return n_between if ends else None

    def copy(self) -> AroundCache:
        """Return a cache that holds the same rows, for someone else to go on from."""
        twin = AroundCache(self._refresh)
        twin.__dict__.update(self.__dict__)
        # Rows are written in place.
        twin._keys = [keys.clone() for keys in self._keys]  # of its own kind
        twin._values = [values.clone() for values in self._values]
        return twin

    def beside(self, n_before: int, n_behind: int, moved: Tensor) -> Beside:
        """Return the cache for one forward of several texts between the kept ends.

        Args:
            n_before: kept rows before each text.
            n_behind: and behind it, the last ones.
            moved: [batch] int64: how many places further on these stand to each.
        """
        return Beside(self._keys, self._values, self._n_rows, n_before, n_behind, moved, self._turn)

    @property
    def _n_rows(self) -> int:
        return 0 if self._seen is None else self._seen.shape[1]


class Beside(Cache):
    """Several texts in one place: each is fed its own rows, and all see the same kept ones.

    Made by `AroundCache.beside`.
    """

    name: ClassVar[str] = "beside"
    exact: ClassVar[bool] = False

    def __init__(
        self,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        n_rows: int,
        n_before: int,
        n_behind: int,
        moved: Tensor,
        turn: Callable[[Tensor, Tensor], Tensor] | None,
    ) -> None:
        self._keys, self._values = keys, values
        self._before, self._behind = slice(n_before), slice(n_rows - n_behind, n_rows)
        self._moved = moved[:, None].expand(-1, n_behind)
        self._turn = turn if bool(moved.any()) else None

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put the kept rows around the fed ones [batch, n_fed, heads, channels]."""
        batch = (len(keys), -1, -1, -1)
        kept, others = self._keys[layer], self._values[layer]
        behind = kept[:, self._behind].expand(batch)
        if self._turn is not None:
            behind = self._turn(behind, self._moved)
        before = kept[:, self._before].expand(batch)
        around = (others[:, self._before].expand(batch), others[:, self._behind].expand(batch))
        return torch.cat((before, keys, behind), 1), torch.cat((around[0], values, around[1]), 1)

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Nothing is kept of one forward."""


def _n_same(one: Tensor, other: Tensor, n_most: int) -> int:
    """Return how many tokens, at most so many, two canvases have in common at their start."""
    return int((one[:n_most] == other[:n_most]).long().cumprod(0).sum())


def _n_settled(token_ids: Tensor, given: Tensor, mask_id: int | None) -> int:
    settled = ~given
    if mask_id is not None:
        settled = settled & (token_ids != mask_id)
    return int(settled.sum())
