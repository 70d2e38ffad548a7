"""The curve that turns evidence into a probability."""

from __future__ import annotations

import math
import random

import pytest

from model_runtime.evaluation.logistic import fitted


def test_it_finds_the_curve_that_the_examples_come_from() -> None:
    """Of two thousand draws the weights come back, nearly."""
    rng = random.Random(1)
    rows = [(1.0, rng.uniform(-3, 3), float(rng.random() < 0.5)) for _ in range(2000)]
    truth = (-0.5, 1.2, 0.8)

    def probability(row: tuple[float, ...]) -> float:
        return 1 / (1 + math.exp(-sum(a * b for a, b in zip(truth, row, strict=True))))

    weights = fitted(rows, [rng.random() < probability(row) for row in rows])
    assert weights == pytest.approx(truth, abs=0.25)


def test_examples_that_are_told_apart_don_t_run_away() -> None:
    """Where every example is on its side, weights stay finite."""
    rows = [(1.0, float(n)) for n in (-2, -1, 1, 2)]
    bias, weight = fitted(rows, [n > 0 for _, n in rows])
    assert 0 < weight < 50
    assert abs(bias) < 1
