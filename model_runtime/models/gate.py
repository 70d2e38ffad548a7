"""Which rows of a forward the adapter acts on; base rows stay as the base makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from model_runtime.models.crossing import sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.models.adapter import LowRank
    from model_runtime.models.gated import Rows
    from model_runtime.models.layers import Linear

#: The canvas rows of a forward: a run of them, their places [n] int64, or [n_rows, 1] bool where
#: the shapes must not depend on which they are; None if there are none.
Gate = slice | Tensor | None


def canvas_rows(rows: Sequence[Rows], device: torch.device) -> slice | Tensor | None:
    """Return where the canvas rows of several requests' rows stand, one request behind another."""
    if all(one.n_base == len(one.token_ids) for one in rows):
        return None
    if len(rows) == 1:
        return slice(rows[0].n_base, None)
    return sent(is_canvas(rows).nonzero().squeeze(1), device)


def is_canvas(rows: Sequence[Rows]) -> Tensor:
    """Return [n_rows] bool, on the processor: which rows of all requests are canvas rows."""
    return torch.cat([torch.arange(len(one.token_ids)) >= one.n_base for one in rows])


def gated(linear: Linear, low_rank: LowRank | None, x: Tensor, gate: Gate) -> Tensor:
    """Apply a linear map to all rows and the adapter's part to those of the canvas."""
    y = linear(x)
    if low_rank is None:
        return y
    if isinstance(gate, Tensor) and gate.dtype == torch.bool:
        return torch.where(gate, y + low_rank(x), y)
    if isinstance(gate, Tensor):
        return y.index_add_(0, gate, low_rank(x[gate]))
    if gate == slice(0, None):
        return y + low_rank(x)
    y[gate].add_(low_rank(x[gate]))
    return y
