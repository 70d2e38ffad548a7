"""Which rows a forward of the canvas family feeds, and what each of them sees."""

from __future__ import annotations

from itertools import chain
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


class _Texts(Rows):
    """Base rows of several texts that don't see each other."""

    @property
    def is_causal(self) -> bool:
        """Not as a whole."""
        return False


def rows_of_texts(context: list[int], start: int, texts: Sequence[Sequence[int]]) -> Rows:
    """Return base rows for a context behind `start` kept ones, and for each text right behind it.

    Args:
        context: [n_context] what is not kept yet.
        start: what is.
        texts: each a continuation of its own.
    """
    if len(texts) == 1:
        return base_rows([*context, *texts[0]], start)
    n_context = len(context)
    lengths = torch.tensor([n_context, *map(len, texts)])
    group = torch.arange(len(lengths)).repeat_interleave(lengths)
    place = torch.cat([torch.arange(length) for length in lengths.tolist()])
    place = place + torch.where(group > 0, n_context, 0)
    sees = (group == group[:, None]) | (group == 0)
    sees &= place <= place[:, None]
    kept = torch.ones(len(place), start, dtype=torch.bool)
    fed = [*context, *chain.from_iterable(texts)]
    return _Texts(torch.tensor(fed), place + start, torch.cat((kept, sees), dim=1), len(fed))


def base_rows(token_ids: list[int], start: int) -> Rows:
    """Return rows that continue a causal prefix of `start` tokens."""
    n_rows = len(token_ids)
    return Rows(
        token_ids=torch.tensor(token_ids),
        positions=torch.arange(start, start + n_rows),
        visible=torch.ones(n_rows, start + n_rows, dtype=torch.bool).tril(start),
        n_base=n_rows,
    )
