"""Mixtures of experts: each row goes through the few experts its router picks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.models.parts.transformer import GatedMlp, load_gated_mlp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.models.parts.checkpoint import Weights

    #: Maps rows [n, width] to expert weights [n, k] float32 and expert indices [n, k] int64.
    Router = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Mixture:
    """The weighted sum of a row's experts, and of an MLP that all rows share."""

    router: Router
    experts: Sequence[GatedMlp]
    shared: GatedMlp | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Map [..., width] to [..., width]."""
        rows = x.flatten(0, -2)
        weights, chosen = self.router(rows)
        mixed = torch.zeros_like(rows)
        for index in chosen.unique().tolist():
            row, slot = (chosen == index).nonzero(as_tuple=True)
            part = self.experts[index](rows[row]) * weights[row, slot, None].to(rows.dtype)
            mixed.index_add_(0, row, part)
        mixed = mixed.view_as(x)
        return mixed if self.shared is None else mixed + self.shared(x)


@dataclass(frozen=True)
class SoftmaxRouter:
    """The k most likely experts under a softmax over all (Fedus et al. 2021, arXiv 2101.03961)."""

    #: [n_experts, width].
    weight: Tensor
    n_chosen: int
    #: Whether the chosen experts' weights are made to sum to one.
    normalised: bool

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Route rows [n, width]; see `Router`."""
        likely = functional.linear(rows, self.weight).float().softmax(dim=-1)
        weights, chosen = likely.topk(self.n_chosen, dim=-1)
        if self.normalised:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights, chosen


@dataclass(frozen=True)
class GroupedRouter:
    """The k best experts within the best groups of experts (DeepSeek-V3, arXiv 2412.19437, 2.1.2).

    A group is as good as its two best experts together. The bias, which balances the load, decides
    who is chosen, and has no part in the weights.
    """

    #: [n_experts, width] and [n_experts], float32.
    weight: Tensor
    bias: Tensor
    n_chosen: int
    n_groups: int
    n_chosen_groups: int
    #: Whether the chosen experts' weights are made to sum to one, before they are scaled.
    normalised: bool
    scale: float

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Route rows [n, width]; see `Router`."""
        score = functional.linear(rows.float(), self.weight).sigmoid()
        rank = score + self.bias
        groups = rank.unflatten(-1, (self.n_groups, -1))
        group_rank = groups.topk(min(2, groups.shape[-1]), dim=-1).values.sum(dim=-1)
        best = group_rank.topk(self.n_chosen_groups, dim=-1).indices
        closed = torch.ones_like(group_rank, dtype=torch.bool).scatter(-1, best, value=False)
        rank = groups.masked_fill(closed[..., None], -torch.inf).flatten(-2)
        chosen = rank.topk(self.n_chosen, dim=-1).indices
        weights = score.gather(-1, chosen)
        if self.normalised:
            weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-20)
        return weights * self.scale, chosen


def load_experts(
    weights: Weights, name: str, n_experts: int, width: int, mlp_width: int
) -> list[GatedMlp]:
    """Build the experts whose tensors are numbered below `name`.experts."""
    return [
        load_gated_mlp(weights, f"{name}.experts.{index}", width, mlp_width)
        for index in range(n_experts)
    ]
