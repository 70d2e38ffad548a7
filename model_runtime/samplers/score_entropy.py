"""Reverse the noise process itself, from the ratios p_t(y) / p_t(x) of a score-entropy model.

SEDD (Lou, Meng, Ermon 2024, arXiv 2310.16834). Over a step that takes ds of the noise sigma away:

- analytic: Tweedie tau-leaping, eq. 19 and Theorem 4.2: x becomes y with probability proportional
  to (exp(-ds Q) score)_y exp(ds Q)(x, y);
- euler: tau-leaping, eq. 17: the identity plus (t - s) times the reverse rate, score times Q.

The last step is the denoising step of its `sampling.py`: analytic with ds = sigma(t), and no mask
as an outcome. Q is the absorbing graph where the family has a mask (eq. 16), and the uniform one
where it has not (eq. 15). Logits become scores on the absorbing graph through
score = p(x0) e^-sigma / (1 - e^-sigma) (Ou et al. 2024, arXiv 2406.03736, Theorem 1).

Adaptive: on the absorbing graph a step may take more noise away than its even share, as long as the
tokens that it is expected to reveal carry no more than `entropy_budget` nats. A model that is sure
ends in a few steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update
from model_runtime.decoding.choose import at, clean_logits, draw, entropy, tempered
from model_runtime.decoding.filling import written
from model_runtime.decoding.schedule import GeometricNoise, LogLinearNoise, Noise
from model_runtime.errors import UnsupportedPairing
from model_runtime.samplers.base import NonNegative, Params, Positive, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor


class ScoreEntropyParams(Params, frozen=True):
    """SEDD's released models use log-linear noise with these values."""

    kind: Literal["analytic", "euler"] = "analytic"
    noise: Literal["log_linear", "geometric"] = "log_linear"
    #: Of log-linear noise.
    eps: Share = 1e-3
    #: Of geometric noise.
    sigma_min: Positive = 1e-4
    sigma_max: Positive = 20.0
    #: Nats that one step may be expected to reveal; None keeps to the even grid.
    entropy_budget: Positive | None = None
    #: Of the clean tokens' distribution, on the absorbing graph; 0 takes the most probable token.
    temperature: NonNegative = 1.0

    def __post_init__(self) -> None:
        """Refuse noise that does not grow."""
        if self.sigma_min >= self.sigma_max:
            raise ValueError("sigma_min must be below sigma_max")


@dataclass
class Reversal:
    """How far a block's noise has been taken away."""

    block: Block
    steps_left: int
    rng: torch.Generator
    #: From 1 down to 0.
    time: float
    #: [n] int64: positions that may still change.
    open: Tensor


class ScoreEntropy(Sampler[Reversal, ScoreEntropyParams]):
    """SEDD's two predictors and its denoising step."""

    name: ClassVar[str] = "score_entropy"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"log_score", "logits"})
    uniform_noise: ClassVar[bool] = True
    params_type: ClassVar[type[Params]] = ScoreEntropyParams

    @property
    def noise(self) -> Noise:
        """The noise schedule that the parameters name."""
        if self.params.noise == "log_linear":
            return LogLinearNoise(self.params.eps)
        return GeometricNoise(self.params.sigma_min, self.params.sigma_max)

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Reversal:
        """Begin at time 1: with masks, or with tokens that the caller drew uniformly."""
        positions = block.positions
        if block.mask_id is not None:
            positions = positions[block.masked(block.token_ids)]
        return Reversal(block, n_steps, rng, 1.0, positions)

    def query(self, state: Reversal) -> Query:
        """Ask about every position that may change, at the noise of the time."""
        return Query(state.open, self.noise.sigma(state.time))

    def step(self, token_ids: Tensor, prediction: Prediction, state: Reversal) -> Update:
        """Draw every position anew from the reverse process."""
        block, noise = state.block, self.noise
        mask_id = block.mask_id
        tokens = token_ids[state.open]
        sigma = noise.sigma(state.time)
        score = to_score(prediction, tokens, mask_id, sigma, self.params.temperature)
        next_time = self._next_time(prediction, sigma, state)
        if next_time == 0:
            table = denoising(score, tokens, mask_id, sigma)
        elif self.params.kind == "euler":
            table = euler(score, tokens, mask_id, (state.time - next_time) * noise.rate(state.time))
        else:
            table = analytic(score, tokens, mask_id, sigma - noise.sigma(next_time))
        drawn = draw(table, state.rng)

        settled = torch.full_like(drawn, next_time == 0, dtype=torch.bool)
        if mask_id is not None:
            settled = drawn != mask_id
        token_ids = token_ids.index_copy(0, state.open, drawn)
        confidence = at(table, drawn) / table.sum(-1)
        asked, state.open = state.open, state.open[~settled]
        state.time = next_time
        state.steps_left -= 1
        done = not len(state.open)
        return written(token_ids, asked, drawn, confidence, settled, done=done)

    def _next_time(self, prediction: Prediction, sigma: float, state: Reversal) -> float:
        """Return the time at which the step ends: an even share of the rest, or earlier."""
        even = state.time * (state.steps_left - 1) / state.steps_left
        mask_id = state.block.mask_id
        if self.params.entropy_budget is None or mask_id is None:
            return even
        # At temperature 1: a sharpened draw is no surer than the model is.
        unsure = float(entropy(clean_logits(prediction.rows, mask_id).softmax(-1)).sum())
        if unsure <= self.params.entropy_budget:
            return 0.0
        lost = -math.expm1(-sigma) * (1 - self.params.entropy_budget / unsure)
        return min(even, self.noise.time(-math.log1p(-lost)))


def to_score(
    prediction: Prediction, tokens: Tensor, mask_id: int | None, sigma: float, temperature: float
) -> Tensor:
    """Return the ratios p_t(y) / p_t(x) as [n, vocab]; 1 where y is x.

    Args:
        prediction: rows of either kind.
        tokens: [n] int64, the tokens x; all masks where there is a mask.
        mask_id: None on the uniform graph.
        sigma: the noise now.
        temperature: sharpens the clean tokens' part, and keeps its sum.

    Raises:
        UnsupportedPairing: logits on the uniform graph, which do not determine the ratios.
    """
    if mask_id is None:
        if prediction.kind == "logits":
            raise UnsupportedPairing(
                "sampler 'score_entropy' needs log_score from a family of uniform noise"
            )
        return prediction.rows.exp()
    logits = clean_logits(prediction.rows, mask_id)
    clean = tempered(logits, temperature)
    if prediction.kind == "logits":
        score = clean / math.expm1(sigma)
    else:
        score = clean * logits.exp().sum(-1, keepdim=True)
    return score.scatter(-1, tokens[:, None], 1.0)


def analytic(score: Tensor, tokens: Tensor, mask_id: int | None, dsigma: float) -> Tensor:
    """Return Tweedie tau-leaping's weights [n, vocab] over a step that takes `dsigma` away.

    Args:
        score: [n, vocab], p_t(y) / p_t(x).
        tokens: [n] int64, x.
        mask_id: None on the uniform graph.
        dsigma: noise at the beginning less noise at the end.
    """
    keep, total = math.exp(-dsigma), score.sum(-1, keepdim=True)
    staggered = score / keep
    forward = torch.zeros_like(score)
    if mask_id is None:
        vocab_size = score.shape[-1]
        staggered = staggered - total * (1 - keep) / (keep * vocab_size)
        forward += (1 - keep) / vocab_size
    else:
        staggered[:, mask_id] -= total[:, 0] * (1 - keep) / keep
        forward[tokens == mask_id] = 1 - keep
    forward.scatter_add_(-1, tokens[:, None], torch.full_like(total, keep))
    return (staggered * forward).clamp_min(0)


def euler(score: Tensor, tokens: Tensor, mask_id: int | None, leap: float) -> Tensor:
    """Return tau-leaping's weights [n, vocab]: the identity plus `leap` times the reverse rate.

    Args:
        score: [n, vocab], p_t(y) / p_t(x).
        tokens: [n] int64, x.
        mask_id: None on the uniform graph.
        leap: length of the step times the rate of noise.
    """
    # Into x: at the same rate from everywhere (uniform), or from everywhere if x is the mask.
    rate = leap / score.shape[-1] if mask_id is None else leap * (tokens == mask_id)[:, None]
    moved = (score * rate).scatter(-1, tokens[:, None], 0.0)
    return moved.scatter(-1, tokens[:, None], 1 - moved.sum(-1, keepdim=True)).clamp_min(0)


def denoising(score: Tensor, tokens: Tensor, mask_id: int | None, sigma: float) -> Tensor:
    """Return the weights [n, vocab] of the step that takes all noise away: no mask is left."""
    weights = analytic(score, tokens, mask_id, sigma)
    if mask_id is not None:
        weights[:, mask_id] = 0
    return weights
