"""Tests of Dream's rule."""

from __future__ import annotations

import pytest
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.denoise import Budget
from model_runtime.samplers.entropy import Entropy

KINDS = ["origin", "maskgit_plus", "topk_margin", "entropy"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_steps", [1, 5, 50])
def test_every_forward_commits_something(kind: str, n_steps: int) -> None:
    """Steps whose share is less than a token are passed over without a forward."""
    done = run(
        Entropy.from_mapping({"kind": kind}), canvas_of([3, *[MASK] * 7, 4]), Budget(n_steps)
    )
    left = [token_ids.count(MASK) for token_ids in done.trajectory]
    assert left == sorted(set(left), reverse=True)
    assert left[-1] == 0
    assert done.n_forwards <= min(7, n_steps)


def test_the_share_grows_as_time_runs_out() -> None:
    """Of thirteen masks in four steps: int(13/4), int(10/3), int(7/2), and the rest."""
    done = run(Entropy.from_mapping({}), canvas_of([3, *[MASK] * 13, 4]), Budget(4))
    assert [token_ids.count(MASK) for token_ids in done.trajectory] == [10, 7, 4, 0]


def test_alg_temp_draws_the_positions() -> None:
    """The tokens stay the best ones, but seeds commit them in different orders."""

    def first(seed: int, alg_temp: float) -> tuple[int, ...]:
        done = run(
            Entropy.from_mapping({"alg_temp": alg_temp}),
            canvas_of([3, *[MASK] * 8, 4]),
            seed=seed,
            denoiser=TableDenoiser(VOCAB_SIZE, MASK),
        )
        return tuple(done.trajectory[0])

    assert len({first(seed, 0.0) for seed in range(8)}) == 1
    assert len({first(seed, 5.0) for seed in range(8)}) > 1


def test_a_threshold_commits_more_than_the_share() -> None:
    """A rule that may commit whatever it is not surer than 0 of needs one step."""
    rule = Entropy.from_mapping({"threshold": 0.0})
    assert run(rule, canvas_of([3, *[MASK] * 6, 4]), Budget(6)).n_forwards == 1
