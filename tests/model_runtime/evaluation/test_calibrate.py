"""Weights of confidence."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.errors import ModelLoadFailed
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.calibrate import Example, examples, fit
from model_runtime.evaluation.typist import Ghost
from model_runtime.text.calibration import Calibration, read_calibration

if TYPE_CHECKING:
    from pathlib import Path


def test_weights_find_what_made_the_examples() -> None:
    """Drawn by a calibration, they give it back, nearly."""
    rng = random.Random(0)
    true = Calibration(bias=-0.5, slope=0.8, length=-0.2)
    found = []
    for _ in range(20_000):
        says, n_chars = rng.uniform(0.05, 0.99), rng.randint(2, 40)
        right = rng.random() < true.confidence(math.log(says), n_chars)
        found.append(Example(says, n_chars, right))

    fitted = fit(found)

    assert fitted.bias == pytest.approx(true.bias, abs=0.15)
    assert fitted.slope == pytest.approx(true.slope, abs=0.08)
    assert fitted.length == pytest.approx(true.length, abs=0.06)


def test_an_example_is_a_suggestion_as_it_may_be_cut() -> None:
    """The same one twice counts once."""
    ghost = Ghost(text="foo(bar)", stretches=((3, 0.9), (1, 0.8), (4, 0.3)))
    line = EvalTask(id="l", language="python", prefix="", suffix="\n", reference="foo(baz)")

    found = list(examples(line, 0, ghost))

    assert found == [
        Example(0.3, 8, is_right=False),
        Example(0.8, 4, is_right=True),
        Example(0.9, 3, is_right=True),
    ]


def test_a_base_without_weights_is_taken_at_its_word(tmp_path: Path) -> None:
    """And a file that holds something else is refused."""
    path = tmp_path / "weights.json"
    assert read_calibration(path) == Calibration()
    path.write_bytes(msgspec.json.encode(Calibration(bias=1.0)))
    assert read_calibration(path).bias == 1.0
    path.write_bytes(b"{")
    with pytest.raises(ModelLoadFailed, match=r"weights\.json"):
        read_calibration(path)


def test_without_examples_the_base_is_taken_at_its_word() -> None:
    """There is nothing to fit."""
    assert fit([]) == Calibration()
