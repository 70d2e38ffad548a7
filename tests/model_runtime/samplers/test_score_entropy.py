"""Tests of score-entropy sampling."""

from __future__ import annotations

import pytest
import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.canvas import Canvas, PredictionKind
from model_runtime.decoding.denoise import Budget
from model_runtime.errors import UnsupportedPairing
from model_runtime.samplers.score_entropy import ScoreEntropy

KINDS = ["analytic", "euler"]


def fill(
    params: dict[str, object], kind: PredictionKind, seed: int = 0, *, scale: float = 2.0
) -> list[list[int]]:
    """Fill six masks by a table of scores or logits."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, kind=kind, scale=scale)
    canvas = canvas_of([3, *[MASK] * 6, 4])
    return run(
        ScoreEntropy.from_mapping(params), canvas, Budget(9), seed=seed, denoiser=denoiser
    ).trajectory


@pytest.mark.parametrize("noise", ["log_linear", "geometric"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_their_scores_decode_alike(kind: str, noise: str) -> None:
    """On masks a score is a probability times a factor of time, so either gives the same run."""
    params = {"kind": kind, "noise": noise}
    for seed in range(5):
        assert fill(params, "logits", seed) == fill(params, "log_score", seed)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_of_uniform_noise_become_clean(kind: str) -> None:
    """With exact scores and many steps, what is drawn follows the clean distribution."""
    vocab_size, n_copies, n_runs = 4, 80, 25
    denoiser = TableDenoiser(vocab_size, None, kind="log_score", scale=0.7)
    # Every noisy token stands between the same given ones, and nothing depends on its position.
    denoiser._own[:] = 0
    clean = (denoiser._left[3] + denoiser._right[2]).softmax(-1)
    rule, counts = ScoreEntropy.from_mapping({"kind": kind}), torch.zeros(vocab_size)
    for seed in range(n_runs):
        rng = torch.Generator().manual_seed(seed)
        token_ids = torch.tensor([3, 0, 2]).repeat(n_copies)
        token_ids[1::3] = torch.randint(vocab_size, (n_copies,), generator=rng)
        canvas = Canvas(token_ids, torch.tensor([True, False, True]).repeat(n_copies), None)
        run(rule, canvas, Budget(40), seed=seed, denoiser=denoiser)
        counts += canvas.token_ids[1::3].bincount(minlength=vocab_size)
    assert float((counts / (n_runs * n_copies) - clean).abs().max()) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_sure_model_needs_few_steps_with_an_entropy_budget(kind: str) -> None:
    """The step adapts to what the masks hold, and never beyond the budget of forwards."""
    budget = {"kind": kind, "entropy_budget": 0.5}
    assert len(fill(budget, "logits", scale=50.0)) < len(fill({"kind": kind}, "logits", scale=50.0))
    assert len(fill(budget, "log_score", scale=50.0)) <= 2
    assert len(fill(budget, "logits", scale=0.01)) > 2
    assert len(fill({**budget, "temperature": 0.0}, "logits", scale=0.01)) > 2


def test_temperature_zero_takes_the_best_tokens() -> None:
    """When they are revealed is still drawn; what they are is not."""
    first, second = (
        fill({"temperature": 0.0, "entropy_budget": 99.0}, "log_score", s) for s in (1, 2)
    )
    assert first == second


def test_logits_do_not_give_scores_of_uniform_noise() -> None:
    """They say what is clean, not how likely the noisy token beside it is."""
    canvas = Canvas(torch.tensor([3, 1, 2]), torch.tensor([True, False, True]), None)
    with pytest.raises(UnsupportedPairing, match="log_score"):
        run(ScoreEntropy.from_mapping({}), canvas, denoiser=TableDenoiser(4, None))
