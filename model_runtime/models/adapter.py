"""What training adds to the base: the adapter of the canvas rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class LowRank:
    """x -> up(down(x)): what the adapter adds to one linear map, its scale folded into `up`."""

    #: [rank, n_in] and [n_out, rank].
    down: Tensor
    up: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map [n, n_in] to [n, n_out]."""
        # In training they are float32, whatever the base is.
        inner = functional.linear(x, self.down.to(x.dtype))
        return functional.linear(inner, self.up.to(x.dtype))


@dataclass(frozen=True)
class Link:
    """Corrects a canvas row once the token before its position is known.

    Masks that are drafted side by side don't know of each other's tokens. This small map tells a
    row, after the forward, which token was chosen in front of it; so a run of drafts hangs
    together (as in Hydra, Ankner et al. 2024, arXiv 2402.05109, section 3).
    """

    #: [rank, 2 * width] and [width, rank].
    down: Tensor
    up: Tensor

    def __call__(self, hidden: Tensor, previous: Tensor) -> Tensor:
        """Map rows [n, width] and the embeddings before them [n, width] to rows [n, width]."""
        both = torch.cat((_unit(hidden), _unit(previous).to(hidden.dtype)), dim=-1)
        inner = functional.silu(functional.linear(both, self.down.to(both.dtype)))
        return hidden + functional.linear(inner, self.up.to(both.dtype))


#: The linear maps of a layer that carry a low-rank part, in the order of `Adapter.layers`.
ADAPTED = ("qkv", "out", "gate_up", "down")


@dataclass(frozen=True)
class Adapter:
    """What training adds to the base: a mask embedding and low-rank parts."""

    #: [n_depths, width]: what is fed for the first, second, … mask of a run; the last one serves
    #: all further masks.
    mask_embedding: Tensor
    #: One tuple a layer, in the order of `ADAPTED`.
    layers: Sequence[tuple[LowRank, LowRank, LowRank, LowRank]]
    #: [n_draft] int64, ascending: the tokens that a canvas row can propose. Base rows can propose
    #: any; proposing drafts from the common tokens alone spares most of the output projection.
    vocabulary: Tensor
    link: Link


def _unit(x: Tensor) -> Tensor:
    """Scale each row of x [n, width] to unit root mean square."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-12)
