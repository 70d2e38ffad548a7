"""The bound that masked diffusion gives for a text's likelihood.

The bound (the negative ELBO) of a span x of L tokens in context c is, with l uniform over 1 … L and
S uniform over the sets of l positions,

    -log p(x | c) <= E_l E_S [ L / l · sum_{i in S} -log p(x_i | x outside S, c) ]

(Nie et al. 2025, arXiv 2502.09992, eq. 14). It is what integrating MDLM's loss over the noise level
t gives (Sahoo et al. 2024, arXiv 2406.07524, eq. 10), the number of masks taken out of the chance.
The draws of l are stratified: each covers an equal part of 1 … L.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Self

import msgspec
import torch

from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.choose import clean_logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.models.base import Denoiser

#: A canvas proposes from a part of the vocabulary. So that a token outside it has some probability,
#: the bound is that of a mixture: this much of the uniform distribution, the canvas for the rest.
UNIFORM_SHARE = 1e-3


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """What some text cost to predict."""

    n_tokens: int
    n_bytes: int
    #: Negative log-probability of it all.
    nats: float

    @classmethod
    def of(cls, token_ids: Sequence[int], text: str, nats: float) -> Self:
        """Return what a text cost, and its tokens."""
        return cls(n_tokens=len(token_ids), n_bytes=len(text.encode()), nats=nats)

    @property
    def perplexity(self) -> float:
        """Per token; comparable only between models of one tokenizer."""
        return math.exp(self.nats / self.n_tokens)

    @property
    def bits_per_byte(self) -> float:
        """Comparable between all models."""
        return self.nats / math.log(2) / self.n_bytes

    def __add__(self, other: Likelihood) -> Likelihood:
        """Put two texts together."""
        return Likelihood(
            n_tokens=self.n_tokens + other.n_tokens,
            n_bytes=self.n_bytes + other.n_bytes,
            nats=self.nats + other.nats,
        )


#: No text at all.
NOTHING = Likelihood(n_tokens=0, n_bytes=0, nats=0.0)


def bound(
    denoiser: Denoiser,
    cache: Cache,
    context: list[int],
    wanted: list[int],
    n_draws: int,
    rng: random.Random,
    behind: Sequence[int] = (),
) -> float:
    """Estimate the bound, in nats, of `wanted` as a canvas behind a context.

    Args:
        denoiser: fills masks.
        cache: that fits it.
        context: [n_context] what stands before.
        wanted: [L] the text.
        n_draws: forwards.
        rng: of the draws.
        behind: what stands behind, for families that see it.
    """
    token_ids, length = torch.tensor([*context, *wanted, *behind]), len(wanted)
    places = torch.arange(len(token_ids))
    given = (places < len(context)) | (places >= len(context) + length)
    nats = 0.0
    for n_masks in stratified(length, n_draws, rng):
        hidden = torch.tensor(sorted(rng.sample(range(length), n_masks))) + len(context)
        masked = token_ids.index_fill(0, hidden, _mask(denoiser))
        canvas = Canvas(masked, given, denoiser.mask_id)
        rows = denoiser.predict(canvas, Query(hidden), cache).rows
        log_p = _mixed(rows, denoiser).gather(1, token_ids[hidden, None].to(rows.device))
        nats -= float(log_p.double().sum()) * length / n_masks
    return nats / n_draws


def rng_of(task: EvalTask, seed: int) -> random.Random:
    """Return what draws for a task, the same in any order of the tasks."""
    return random.Random(f"{seed}/{task.id}")  # noqa: S311  not for secrets


def stratified(length: int, n_draws: int, rng: random.Random) -> list[int]:
    """Draw `n_draws` numbers of masks from 1 … length, one from each equal part of the range."""
    return [1 + int((k + rng.random()) / n_draws * length) for k in range(n_draws)]


def _mixed(rows: Tensor, denoiser: Denoiser) -> Tensor:
    """Return log-probabilities [n_rows, vocab] of the mixture with the uniform distribution."""
    log_p = clean_logits(rows, denoiser.mask_id).log_softmax(-1)
    uniform = torch.tensor(math.log(UNIFORM_SHARE / denoiser.vocab_size), device=rows.device)
    return torch.logaddexp(log_p + math.log1p(-UNIFORM_SHARE), uniform)


def _mask(denoiser: Denoiser) -> int:
    if denoiser.mask_id is None:
        raise ValueError(f"the {denoiser.name!r} family has no masks to measure")
    return denoiser.mask_id
