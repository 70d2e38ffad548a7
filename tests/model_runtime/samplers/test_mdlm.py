"""Tests of ancestral sampling."""

from __future__ import annotations

import pytest
import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.choose import clean_logits
from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.mdlm import Mdlm

N_MASKS, N_STEPS, N_RUNS = 5, 12, 200


def forwards(kind: str) -> list[int]:
    """Return the forwards of many runs."""
    rule = Mdlm.from_mapping({"kind": kind})
    return [
        run(rule, canvas_of([3, *[MASK] * N_MASKS]), Budget(N_STEPS), seed=seed).n_forwards
        for seed in range(N_RUNS)
    ]


def test_the_cache_saves_the_forwards_it_should() -> None:
    """Ou et al. 2024, eq. 3.4: n (1 - (1 - 1/n)^l) forwards are expected of n steps."""
    counts = torch.tensor(forwards("ddpm_cache"), dtype=torch.float)
    expected = N_STEPS * (1 - (1 - 1 / N_STEPS) ** N_MASKS)
    assert float(counts.mean()) == pytest.approx(
        expected, abs=5 * float(counts.std()) / N_RUNS**0.5
    )
    assert int(counts.max()) <= N_MASKS


def test_without_the_cache_each_step_is_a_forward() -> None:
    """Up to the step that reveals the last mask, which every time step may be."""
    assert max(forwards("ancestral")) == N_STEPS


@pytest.mark.parametrize("kind", ["ddpm_cache", "ancestral"])
def test_a_lone_mask_follows_the_denoiser(kind: str) -> None:
    """Whenever it is revealed, its token is drawn from the denoiser's distribution."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, scale=1.0)
    canvas = canvas_of([3, MASK, 4])
    n_runs, counts = 2000, torch.zeros(VOCAB_SIZE)
    rule = Mdlm.from_mapping({"kind": kind})
    for seed in range(n_runs):
        canvas = canvas_of([3, MASK, 4])
        run(rule, canvas, Budget(3), seed=seed, denoiser=denoiser)
        counts[canvas.token_ids[1]] += 1
    query = denoiser.queries[-1]
    rows = denoiser.predict(canvas_of([3, MASK, 4]), query, None).rows  # type: ignore[arg-type]
    expected = clean_logits(rows, MASK).softmax(-1)[0]
    bound = 5 * (expected * (1 - expected) / n_runs).sqrt() + 1e-9
    assert bool(((counts / n_runs - expected).abs() <= bound).all())
