"""Logistic regression, for the few numbers that a confidence is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Pull of each weight but the first towards 0: what few examples say is not taken at its word.
PULL = 0.5
N_ROUNDS = 50


def fitted(
    rows: Sequence[Sequence[float]], is_right: Sequence[bool], pull: float = PULL
) -> list[float]:
    """Return the weights [n_features] that make `is_right` likeliest.

    By Newton's method on the penalised likelihood (iteratively reweighted least squares).

    Args:
        rows: [n, n_features]; the first feature is 1.
        is_right: [n].
        pull: see `PULL`.
    """
    x = torch.tensor(rows, dtype=torch.float64)
    y = torch.tensor(is_right, dtype=torch.float64)
    # Features of one size, or the pull would mean another thing for each.
    scale = x.abs().amax(0).clamp(min=1e-9)
    x = x / scale
    ridge = pull * torch.eye(x.shape[1], dtype=torch.float64)
    ridge[0, 0] = 1e-6
    weights = torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(N_ROUNDS):
        p = torch.sigmoid(x @ weights)
        gradient = x.T @ (y - p) - ridge @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = torch.linalg.solve(curvature, gradient)
        weights = weights + step.clamp(-1, 1)
    return [float(weight) for weight in weights / scale]
