"""Tests of entropy-bounded acceptance."""

from __future__ import annotations

import torch
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, Step
from model_runtime.samplers.entropy_bound import EntropyBound, accept


def noise(n: int, vocab_size: int) -> Canvas:
    """Return given 3, n random tokens, given 2, of a family without masks."""
    tokens = torch.randint(vocab_size, (n,), generator=torch.Generator().manual_seed(0)).tolist()
    given = torch.tensor([True, *[False] * n, True])
    return Canvas(torch.tensor([3, *tokens, 2]), given, None)


def test_the_surest_token_is_always_accepted() -> None:
    """However little the bound allows; ties go to the first."""
    assert accept(torch.tensor([2.0, 1.0, 1.0]), 0.0).tolist() == [False, True, False]
    assert accept(torch.tensor([2.0, 1.0, 1.0]), 2.0).tolist() == [True, True, True]


def test_a_sure_and_stable_canvas_is_finished_early() -> None:
    """Two forwards are the least: nothing is stable at the first."""
    done = run(
        EntropyBound.from_mapping({"entropy_bound": 99.0}),
        noise(6, 8),
        Budget(40),
        denoiser=TableDenoiser(8, None, scale=60.0, seed=1),
    )
    assert 2 <= done.n_forwards < 40


def test_nothing_of_uniform_noise_is_settled_before_the_end() -> None:
    """What was accepted may still be noised again."""
    settled: list[int] = []

    def note(step: Step) -> None:
        settled.append(int(step.update.committed.sum()))

    denoiser = TableDenoiser(8, None)
    run(EntropyBound.from_mapping({}), noise(6, 8), Budget(9), denoiser=denoiser, on_step=note)
    assert set(settled[:-1]) == {0}
    assert settled[-1] == 6


def test_the_last_logits_are_handed_back() -> None:
    """Families that condition on themselves get a row for each position asked about."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK)
    canvas = canvas_of([3, *[MASK] * 6, 4])
    run(EntropyBound.from_mapping({}), canvas, denoiser=denoiser)
    first, *others = denoiser.queries
    assert first.self_conditioning is None
    for query in others:
        assert query.self_conditioning is not None
        assert query.self_conditioning.shape == (len(query.positions), VOCAB_SIZE)


def test_accepted_masks_stay_settled() -> None:
    """A family trained on masks is not asked about tokens it sees."""
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, scale=5.0)
    done = run(
        EntropyBound.from_mapping({}), canvas_of([3, *[MASK] * 9, 4]), Budget(9), denoiser=denoiser
    )
    for query, token_ids in zip(denoiser.queries[1:], done.trajectory, strict=False):
        assert all(token_ids[position] == MASK for position in query.positions.tolist())
