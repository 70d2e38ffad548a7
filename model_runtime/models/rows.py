"""Which rows a forward of the canvas family feeds, and what each of them sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model_runtime.models.gated import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence


def mask_depths(masked: Tensor) -> Tensor:
    """Return [n] int64: for each mask of `masked` [n] its place in its run, from 1; 0 elsewhere."""
    counted = masked.long().cumsum(0)
    before_run = torch.where(masked, 0, counted).cummax(0).values
    return counted - before_run


def rows_behind(
    settled: Tensor, first: int, positions: Tensor, visible: Tensor
) -> tuple[Rows, Tensor]:
    """Lay out base rows for `settled` and, behind each wanted prefix, rows of masks.

    Args:
        settled: [n_base] the canvas tokens from `first` on; what stands before is kept.
        first: where they begin.
        positions: [n] positions to predict.
        visible: [n] how many tokens each may see.

    Returns:
        the rows, and [n] the index among them of each wanted one.
    """
    n_base = len(settled)
    wanted = positions - 1 - first
    token_ids, places, groups = [settled], [torch.arange(first, first + n_base)], [settled * 0]
    n_fed = n_base
    # All this is the processor's own, and small: nothing waits for a device.
    for prefix in visible.unique().tolist():
        in_group = (visible == prefix) & (positions > prefix)
        if not bool(in_group.any()):
            continue
        n_masks = int(positions[in_group].max()) - prefix
        wanted[in_group] = n_fed + positions[in_group] - prefix - 1
        token_ids.append(-torch.arange(1, n_masks + 1))
        places.append(torch.arange(prefix, prefix + n_masks))
        groups.append(torch.full((n_masks,), prefix))
        n_fed += n_masks
    place, group = torch.cat(places), torch.cat(groups)
    # A mask row sees its own group and the base rows of its prefix; a base row sees the base rows
    # up to itself.
    is_base = group == 0
    n_seen = torch.where(is_base, place + 1, group)
    sees = torch.where(is_base, place < n_seen[:, None], group == group[:, None])
    kept = torch.ones(n_fed, first, dtype=torch.bool)
    return Rows(torch.cat(token_ids), place, torch.cat((kept, sees), dim=1), n_base), wanted


class Trie:
    """Texts that may begin alike: what they share is there once.

    Attributes:
        token_ids: [n_nodes] each behind the one that it follows.
        parents: [n_nodes] the node that each follows; -1 for the first token of a text.
    """

    def __init__(self) -> None:
        self.token_ids: list[int] = []
        self.parents: list[int] = []
        self._nodes: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.token_ids)

    def add(self, text: Sequence[int]) -> list[int]:
        """Add a text [n] and return its nodes [n]."""
        path = [-1]
        for token_id in text:
            node = self._nodes.setdefault((path[-1], token_id), len(self))
            if node == len(self):
                self.token_ids.append(token_id)
                self.parents.append(path[-1])
            path.append(node)
        return path[1:]

    @property
    def is_one_text(self) -> bool:
        """Whether every node follows the one before it."""
        return self.parents == list(range(-1, len(self) - 1))

    def visible(self) -> Tensor:
        """Return [n_nodes, n_nodes] bool: each node sees itself and what it follows."""
        sees = torch.eye(len(self), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


@dataclass(frozen=True)
class _Branching(Rows):
    """Base rows that don't all see each other."""

    #: So many of them stand before the first branch.
    n_context: int

    @property
    def n_causal(self) -> int:
        """See `Rows.n_causal`."""
        return self.n_context


def rows_of_texts(context: list[int], start: int, texts: Trie) -> Rows:
    """Return base rows for a context behind `start` kept ones, and for texts right behind it.

    Args:
        context: [n_context] what is not kept yet.
        start: what is.
        texts: each a continuation of its own.
    """
    fed = [*context, *texts.token_ids]
    if texts.is_one_text:
        return base_rows(fed, start)
    n_context, n_rows = len(context), len(fed)
    sees = torch.ones(n_rows, n_rows, dtype=torch.bool).tril()
    sees[n_context:, n_context:] = texts.visible()
    # As many stand before a row as it sees beside itself.
    places = start + sees.sum(-1) - 1
    kept = torch.ones(n_rows, start, dtype=torch.bool)
    visible = torch.cat((kept, sees), dim=1)
    return _Branching(torch.tensor(fed), places, visible, n_base=n_rows, n_context=n_context)


@dataclass(frozen=True)
class _Around(Rows):
    """Base rows with kept ones between them."""

    @property
    def n_causal(self) -> int:
        """See `Rows.n_causal`: what a row sees does not end where the fed rows before it do."""
        return 0


def without(rows: Rows, first: int, n_kept: int) -> Rows:
    """Return rows less `n_kept` of the base rows, from `first` on: those that are kept already."""
    fed = torch.ones(len(rows.token_ids), dtype=torch.bool)
    fed[first : first + n_kept] = False
    return _Around(
        rows.token_ids[fed], rows.positions[fed], rows.visible[fed], rows.n_base - n_kept
    )


def base_rows(token_ids: list[int], start: int) -> Rows:
    """Return rows that continue a causal prefix of `start` tokens."""
    n_rows = len(token_ids)
    return Rows(
        token_ids=torch.tensor(token_ids),
        positions=torch.arange(start, start + n_rows),
        visible=torch.ones(n_rows, start + n_rows, dtype=torch.bool).tril(start),
        n_base=n_rows,
    )
