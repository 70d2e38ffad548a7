"""Likelihoods are those of the distribution that a denoiser stands for."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, ClassVar

import pytest
import torch

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Prediction
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.bound import UNIFORM_SHARE, Likelihood, bound, stratified
from model_runtime.evaluation.perplexity import exact, measure, report
from model_runtime.models.base import Denoiser

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, PredictionKind, Query

N_TOKENS, LENGTH, MASK = 4, 3, 4


class JointDenoiser(Denoiser):
    """Knows the joint distribution of a span of three tokens, and answers with its conditionals.

    Args:
        context_length: where the span begins.
        floor: log-probability of a token 0, before normalising; -inf makes it impossible.
    """

    name: ClassVar[str] = "joint"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    ordered: ClassVar[bool] = True

    def __init__(self, context_length: int = 1, floor: float = 0.0) -> None:
        self.mask_id = MASK
        self.vocab_size = N_TOKENS + 1
        self.max_length = 64
        self.device = torch.device("cpu")
        self._start = context_length
        weights = torch.randn((N_TOKENS,) * LENGTH, generator=torch.Generator().manual_seed(5)) * 2
        weights[0] += floor
        self.joint = weights.flatten().softmax(0).reshape(weights.shape)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Condition on what each row sees, and sum the rest out."""
        del cache
        rows = []
        for k, position in enumerate(query.positions.tolist()):
            seen = canvas.token_ids.clone()
            if query.visible is not None:
                seen[int(query.visible[k]) :] = MASK
            seen[position] = MASK
            rows.append(self._conditional(seen[self._start :], position - self._start))
        return Prediction("logits", torch.stack(rows))

    def _conditional(self, span: Tensor, index: int) -> Tensor:
        table = self.joint
        for axis, token in enumerate(span.tolist()):
            if token != MASK:
                kept = torch.tensor([token])
                table = table.index_select(axis, kept)
            elif axis != index:
                table = table.sum(axis, keepdim=True)
        return torch.cat([table.flatten().log(), torch.tensor([3.0])])  # it predicts masks, too


@pytest.mark.parametrize("span", [[0, 1, 2], [3, 3, 3], [1, 0, 3]])
def test_exact_is_the_joint_probability(span: list[int]) -> None:
    """Left to right, the conditionals multiply to the joint, but for what masks take away."""
    denoiser = JointDenoiser()
    likelihood = exact(denoiser, NoCache(), [1], span, "abc")
    leak = 0.0
    for k in range(LENGTH):
        rest = torch.tensor([1, *span[:k], *[MASK] * (LENGTH - k)])
        row = denoiser._conditional(rest[1:], k)
        leak += float(row.logsumexp(0) - row[:N_TOKENS].logsumexp(0))
    wanted = -float(denoiser.joint[tuple(span)].log())
    assert likelihood.nats == pytest.approx(wanted + leak, rel=1e-5)
    assert (likelihood.n_tokens, likelihood.n_bytes) == (3, 3)


@pytest.mark.parametrize("span", [[0, 1, 2], [3, 3, 3], [1, 0, 3]])
def test_bound_is_tight_for_a_denoiser_of_one_joint(span: list[int]) -> None:
    """Where all conditionals come from one distribution, the bound is its log-probability."""
    denoiser = JointDenoiser()
    rng = random.Random(0)
    nats = bound(denoiser, NoCache(), [1], span, 3000, rng)
    assert nats == pytest.approx(-float(denoiser.joint[tuple(span)].log()), rel=0.03)


def test_a_token_that_the_canvas_cannot_propose_has_a_price() -> None:
    """What is outside the canvas's vocabulary costs the uniform share's surprise, no infinity."""
    denoiser = JointDenoiser(floor=-math.inf)
    rng = random.Random(0)
    nats = bound(denoiser, NoCache(), [1], [0, 1, 2], 1, rng)
    assert math.isfinite(nats)
    assert nats > -math.log(UNIFORM_SHARE)


@pytest.mark.parametrize(("length", "n_draws"), [(1, 1), (1, 7), (5, 5), (40, 8), (3, 300)])
def test_draws_cover_the_range_evenly(length: int, n_draws: int) -> None:
    """Every number of masks is from 1 to the length, one from each equal part."""
    rng = random.Random(1)
    draws = stratified(length, n_draws, rng)
    assert len(draws) == n_draws
    for k, n_masks in enumerate(draws):
        low, high = k * length / n_draws, (k + 1) * length / n_draws
        assert math.floor(low) + 1 <= n_masks <= math.ceil(high)


def test_likelihoods_add_up() -> None:
    """Perplexity and bits per byte are of the sums."""
    both = Likelihood(n_tokens=2, n_bytes=4, nats=1.0) + Likelihood(n_tokens=2, n_bytes=6, nats=3.0)
    assert both.perplexity == pytest.approx(math.e)
    assert both.bits_per_byte == pytest.approx(0.4 / math.log(2))


class LetterTokenizer:
    """One token a letter of "abcd"."""

    def encode(self, text: str) -> list[int]:
        """Number the letters."""
        return ["abcd".index(letter) for letter in text]

    def decode(self, token_ids: list[int]) -> str:
        """Name the numbers."""
        return "".join("abcd"[token_id] for token_id in token_ids)


class PlainTemplate:
    """Prefix, then suffix."""

    tokenizer = LetterTokenizer()

    def lay_out(self, prefix: list[int], suffix: list[int]) -> list[int]:
        """Put one behind the other."""
        return [*prefix, *suffix]


def test_three_figures_over_the_same_tasks(tmp_path: Path) -> None:
    """Code counts all but its first token, spans their own; all three stand in the report."""
    task = EvalTask(id="t", language="", prefix="a", suffix="", reference="bcd")
    measured = measure([task, task], JointDenoiser(), NoCache, PlainTemplate(), n_draws=4)  # type: ignore[arg-type]  # stands in for a real template
    assert (measured.n_tasks, measured.n_draws) == (2, 4)
    assert (measured.code.n_tokens, measured.code.n_bytes) == (6, 6)
    assert (measured.span.n_tokens, measured.span.n_bytes) == (6, 6)
    assert measured.canvas.n_tokens == measured.span.n_tokens
    text = report(measured, tmp_path)
    assert f"| span: canvas, bound of 4 draws | 6 | {measured.canvas.perplexity:.3f} |" in text
    assert (tmp_path / "perplexity.json").exists()
