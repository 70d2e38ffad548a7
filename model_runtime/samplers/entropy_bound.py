"""Accept the surest tokens while their entropies fit a budget; noise the rest again.

DiffusionGemma's sampler (its `generation_diffusion_gemma.py`), and on masks the EB-Sampler
(Ben-Hamu et al. 2025, arXiv 2505.24857): in the order of their entropies H_1 <= H_2 <= ..., k
tokens are accepted while H_1 + ... + H_(k-1) <= entropy_bound, a bound on the error of drawing them
as if they were independent. The canvas is finished when its best tokens have not changed for
`stability` steps and their mean entropy is below `sure_below`; the best tokens are then what is
committed. Logits are divided by a temperature that falls from t_max to t_min + (t_max - t_min) / N.

- Uniform noise: all open positions are drawn at each step, and what is not accepted becomes a
  random token. Nothing is settled before the end.
- Masks: what is not accepted stays a mask, and what is accepted is settled: a family trained on
  masks does not judge tokens it sees. So that the block ends in time, at least an even share of the
  masks is accepted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update
from model_runtime.decoding.choose import at, clean_logits, draw, entropy, top
from model_runtime.decoding.filling import written
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import Count, NonNegative, Params, Positive, Sampler

if TYPE_CHECKING:
    from torch import Tensor


class EntropyBoundParams(Params, frozen=True):
    """DiffusionGemma's defaults."""

    #: Nats.
    entropy_bound: NonNegative = 0.1
    t_min: Positive = 0.4
    t_max: Positive = 0.8
    #: Steps over which the best tokens must not change.
    stability: Count = 1
    #: Nats a token.
    sure_below: NonNegative = 0.005


@dataclass
class Settling:
    """A block, and what its best tokens have been."""

    block: Block
    n_steps: int
    steps_left: int
    rng: torch.Generator
    #: [n] int64: positions that may still change.
    open: Tensor
    #: [n] int64 each: the best tokens for `open` at the last steps.
    history: deque[Tensor]
    #: [n, vocab]: the last logits, for families that condition on them.
    logits: Tensor | None = None


class EntropyBound(Sampler[Settling, EntropyBoundParams]):
    """Entropy-bounded acceptance with an adaptive end."""

    name: ClassVar[str] = "entropy_bound"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    uniform_noise: ClassVar[bool] = True
    params_type: ClassVar[type[Params]] = EntropyBoundParams

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Settling:
        """Begin with masks, or with tokens that the caller drew uniformly."""
        positions = block.positions
        if block.mask_id is not None:
            positions = positions[block.masked(block.token_ids)]
        history: deque[Tensor] = deque(maxlen=self.params.stability)
        return Settling(block, n_steps, n_steps, rng, positions, history)

    def query(self, state: Settling) -> Query:
        """Ask about every position that may change."""
        return Query(state.open, self_conditioning=state.logits)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Settling) -> Update:
        """Accept, noise the rest, or finish."""
        block, asked = state.block, state.open
        logits = clean_logits(prediction.rows, block.mask_id)
        logits = logits / self.temperature(state.steps_left / state.n_steps)
        probabilities = logits.softmax(-1)
        best, doubt = logits.argmax(-1), entropy(probabilities)
        if state.steps_left == 1 or self.is_finished(best, doubt, state.history):
            everything = torch.ones_like(best, dtype=torch.bool)
            return written(token_ids, asked, best, at(probabilities, best), everything, done=True)

        tokens = self.draw(probabilities, state.rng)
        accepted = accept(doubt, self.params.entropy_bound)
        if block.mask_id is None:
            noise = self.noise(len(tokens), block.vocab_size, state.rng).to(tokens.device)
            token_ids = token_ids.index_copy(0, asked, torch.where(accepted, tokens, noise))
            settled = torch.zeros_like(accepted)
        else:
            settled = accepted | top(-doubt, quota(len(tokens), state.steps_left))
        state.history.append(best)
        state.history = deque((kept[~settled] for kept in state.history), self.params.stability)
        state.logits = logits[~settled]
        state.open = asked[~settled]
        state.steps_left -= 1
        confidence = at(probabilities, tokens)
        return written(token_ids, asked, tokens, confidence, settled, done=not len(state.open))

    def draw(self, probabilities: Tensor, rng: torch.Generator) -> Tensor:
        """Return [n] int64: the tokens that may be accepted."""
        return draw(probabilities, rng)

    def noise(self, n: int, vocab_size: int, rng: torch.Generator) -> Tensor:
        """Return [n] int64: tokens of uniform noise."""
        return torch.randint(vocab_size, (n,), generator=rng, device=rng.device)

    def temperature(self, share_left: float) -> float:
        """Return what the logits are divided by when this share of the steps is left."""
        return self.params.t_min + (self.params.t_max - self.params.t_min) * share_left

    def is_finished(self, best: Tensor, doubt: Tensor, history: deque[Tensor]) -> bool:
        """Return whether the best tokens are stable and sure.

        Args:
            best: [n] int64.
            doubt: [n] float, their entropies in nats.
            history: [n] int64 each: the best tokens at the steps before, latest last.
        """
        stable = len(history) == self.params.stability
        stable = stable and all(torch.equal(best, earlier) for earlier in history)
        return stable and float(doubt.mean()) < self.params.sure_below


def accept(entropies: Tensor, bound: float) -> Tensor:
    """Return [n] bool: the lowest of `entropies` [n] that together, but for the highest, fit."""
    ordered, indices = entropies.sort(stable=True)
    fits = ordered.cumsum(0) - ordered <= bound
    return torch.zeros_like(fits).scatter(0, indices, fits)
