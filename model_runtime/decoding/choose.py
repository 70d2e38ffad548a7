"""Choosing: which token at a position, and which positions at a step. Pure functions of tensors.

Randomness comes from the given generator alone, and is drawn where the generator lives: a seed
gives the same choice wherever the logits are.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

#: What makes a token sure: its probability, its lead over the second, or a low entropy.
Certainty: TypeAlias = Literal["maskgit_plus", "topk_margin", "entropy"]

# How many of the best tokens a nucleus is first looked for among: a whole vocabulary is slow to
# sort, and the nucleus of a trained model is small.
_NUCLEUS_CANDIDATES = 256


def clean_logits(rows: Tensor, mask_id: int | None) -> Tensor:
    """Return logits [n, vocab] of clean tokens: a mask is never a prediction.

    References leave this to training, and hang or return masks where it fails. For choosing a
    token; how sure a row is of it is told by all logits, since what it gives the mask is doubt.
    """
    if mask_id is None or not 0 <= mask_id < rows.shape[-1]:
        return rows
    return rows.index_fill(-1, torch.tensor(mask_id, device=rows.device), -torch.inf)


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """Return softmax(logits / temperature) [n, vocab]; at temperature 0 all on the best token."""
    if temperature > 0:
        return (logits / temperature).softmax(-1)
    best = logits.argmax(-1, keepdim=True)
    return torch.zeros_like(logits).scatter_(-1, best, 1.0)


def narrowed(logits: Tensor, temperature: float, top_p: float, top_k: int) -> Tensor:
    """Return probabilities [n, vocab] after temperature, then top-p, then top-k.

    Args:
        logits: [n, vocab] float.
        temperature: 0 leaves the logits as they are: the caller takes the best token then.
        top_p: the smallest set of best tokens with at least this probability stays; 1 keeps all.
        top_k: so many best tokens stay; 0 keeps all.
    """
    kept = (logits / temperature if temperature > 0 else logits).softmax(-1)
    if top_p < 1:
        kept = nucleus(kept, top_p, keep_crossing=True)
    if 0 < top_k < kept.shape[-1]:
        kept = kept.where(kept >= kept.topk(top_k).values[:, -1:], 0.0)
    return kept / kept.sum(-1, keepdim=True)


def nucleus(probabilities: Tensor, mass: float, *, keep_crossing: bool) -> Tensor:
    """Return `probabilities` [n, vocab], normalised, with all but the best tokens at zero.

    Args:
        probabilities: [n, vocab] float.
        mass: the best tokens stay while their sum is at most this; the best one always stays.
        keep_crossing: whether the token with which the sum passes `mass` stays as well.
    """
    vocab_size = probabilities.shape[-1]
    n_candidates = min(_NUCLEUS_CANDIDATES, vocab_size)
    values, tokens = probabilities.topk(n_candidates)
    if n_candidates < vocab_size and not bool((values.sum(-1) > mass).all()):
        values, tokens = probabilities.sort(-1, descending=True)
    reached = values.cumsum(-1)
    kept = (reached - values if keep_crossing else reached) <= mass
    kept[:, 0] = True
    narrow = torch.zeros_like(probabilities).scatter_(-1, tokens, values.where(kept, 0.0))
    return narrow / narrow.sum(-1, keepdim=True)


def uniform(n: int, rng: torch.Generator, device: torch.device) -> Tensor:
    """Return [n] float32 from [0, 1), the same for a seed on every device."""
    return torch.rand(n, generator=rng, device=rng.device).to(device)


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
    total = heaped[..., -1:].contiguous()
    level = uniform(len(weights), rng, weights.device)[:, None] * total
    # Rounding may lift the level to the total; the last index with a weight is meant then.
    drawn = torch.searchsorted(heaped, level, right=True)
    return drawn.minimum(torch.searchsorted(heaped, total)).squeeze(-1)


def pick(probabilities: Tensor, temperature: float, rng: torch.Generator) -> Tensor:
    """Return a token a row [n] int64: drawn, or, at temperature 0, the most probable."""
    return draw(probabilities, rng) if temperature > 0 else probabilities.argmax(-1)


def at(probabilities: Tensor, tokens: Tensor) -> Tensor:
    """Return [n]: the probability of row i's token i."""
    return probabilities.gather(-1, tokens[:, None]).squeeze(-1)


def draw_tokens(
    logits: Tensor, temperature: float, rng: torch.Generator, mask_id: int | None = None
) -> tuple[Tensor, Tensor]:
    """Draw one token a row from softmax(logits / temperature); the best one at temperature 0.

    Args:
        logits: [n, vocab] float.
        temperature: at least 0.
        rng: untouched at temperature 0.
        mask_id: never drawn.

    Returns:
        tokens [n] int64 and their probabilities [n] under softmax(logits), temperature left out.
    """
    clean = clean_logits(logits, mask_id)
    tokens = pick(tempered(clean, temperature) if temperature > 0 else clean, temperature, rng)
    return tokens, at(logits.softmax(-1), tokens)


def entropy(probabilities: Tensor) -> Tensor:
    """Return [n]: the entropy of each row of `probabilities` [n, vocab], in nats."""
    each: Tensor = torch.special.entr(probabilities)
    return each.sum(-1)


def certainty(
    probabilities: Tensor, tokens: Tensor, kind: Certainty, mask_id: int | None = None
) -> Tensor:
    """Return how sure each row is of its token, [n] float; higher is surer.

    Args:
        probabilities: [n, vocab].
        tokens: [n] int64.
        kind: Dream's names.
        mask_id: a row that thinks this likeliest is sure of no token: it comes after all others.
    """
    if kind == "maskgit_plus":
        return at(probabilities, tokens)
    best = probabilities.topk(2)
    sure = -entropy(probabilities) if kind == "entropy" else -best.values.diff(dim=-1).squeeze(-1)
    if mask_id is None:
        return sure
    widest = 1 + math.log(probabilities.shape[-1])
    return sure.where(best.indices[:, 0] != mask_id, sure - widest)


def top(confidence: Tensor, n: int) -> Tensor:
    """Return [m] bool: the n highest of `confidence` [m]; of equal ones, the first."""
    chosen = torch.zeros_like(confidence, dtype=torch.bool)
    chosen[confidence.sort(descending=True, stable=True).indices[:n]] = True
    return chosen


def top_at_random(logits: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Return [m] bool: n positions drawn one after another, each time by softmax(logits [m]).

    Adding Gumbel noise and taking the n highest draws without replacement (Kool et al. 2019,
    arXiv 1903.06059).
    """
    tiny = torch.finfo(torch.float32).tiny
    exponential = -uniform(len(logits), rng, logits.device).clamp_min(tiny).log()
    return top(logits - exponential.clamp_min(tiny).log(), n)
