"""Choosing: which token at a position, and which positions at a step. Pure functions of tensors.

Randomness comes from the given generator alone, and is drawn where the generator lives: a seed
gives the same choice wherever the logits are.
"""

from __future__ import annotations

import torch
from torch import Tensor


def clean_logits(rows: Tensor, mask_id: int | None) -> Tensor:
    """Return logits [n, vocab] of clean tokens: a mask is never a prediction.

    References leave this to training, and hang or return masks where it fails.
    """
    if mask_id is None or not 0 <= mask_id < rows.shape[-1]:
        return rows
    return rows.index_fill(-1, torch.tensor(mask_id, device=rows.device), -torch.inf)


def draw(weights: Tensor, rng: torch.Generator) -> Tensor:
    """Draw one index a row, with probability proportional to its weight.

    By the inverse of the distribution function: one random number a row, however many columns.

    Args:
        weights: [n, m] float, none negative, some positive in each row; need not sum to one.
        rng: advanced by n numbers.

    Returns:
        [n] int64.
    """
    heaped = weights.cumsum(-1)
    total = heaped[..., -1:]
    level = torch.rand(total.shape, generator=rng, device=rng.device).to(total) * total
    # Rounding may lift the level to the total; the last index with a weight is meant then.
    drawn = torch.searchsorted(heaped, level, right=True)
    return drawn.minimum(torch.searchsorted(heaped, total)).squeeze(-1)


def draw_tokens(logits: Tensor, temperature: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw one token a row from softmax(logits / temperature); the best one at temperature 0.

    Args:
        logits: [n, vocab] float.
        temperature: at least 0.
        rng: untouched at temperature 0.

    Returns:
        tokens [n] int64 and their probabilities [n] under softmax(logits), temperature left out.
    """
    probabilities = logits.softmax(-1)
    if temperature > 0:
        tokens = draw((logits / temperature).softmax(-1), rng)
        return tokens, probabilities.gather(-1, tokens[:, None]).squeeze(-1)
    confidence, tokens = probabilities.max(-1)
    return tokens, confidence


def top(confidence: Tensor, n: int) -> Tensor:
    """Return [m] bool: the n highest of `confidence` [m]; of equal ones, the first."""
    chosen = torch.zeros_like(confidence, dtype=torch.bool)
    chosen[confidence.sort(descending=True, stable=True).indices[:n]] = True
    return chosen
