"""The length that a calibrated model is surest of is the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from model_runtime.decoding.lengths import choose_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.decoding.canvas import Region

MASK, VOCAB = 19, 20


class Calibrated:
    """Knows one text: sure of each token where the gap has its length, unsure where it has not.

    Args:
        true: tokens of the gap.
        margin: what it is sure with.
    """

    def __init__(self, true: list[int], margin: float = 6.0) -> None:
        self.true, self.margin = true, margin
        self.batches: list[int] = []

    def predict(self, regions: Sequence[Region]) -> list[Tensor]:
        """Say the true token at the true place, flatter the more the length is off."""
        self.batches.append(len(regions))
        found = []
        for region in regions:
            length = len(region.token_ids)
            sure = self.margin / (1 + abs(length - len(self.true)))
            logits = torch.zeros(length, VOCAB)
            for index in range(length):
                logits[index, self.true[index % len(self.true)]] = sure
            found.append(logits[list(region.places)])
        return found


def gap(length: int) -> list[int]:
    """Return so many masks."""
    return [MASK] * length


@pytest.mark.parametrize("length", [1, 2, 4, 8, 16, 32])
def test_the_right_length_is_found(length: int) -> None:
    """Among all candidates, in no more forwards than it takes to halve them to one."""
    model = Calibrated([3 + index % 10 for index in range(length)], margin=2.0)
    assert choose_length(model.predict, MASK, gap, (1, 2, 4, 8, 16, 32)) == length
    assert model.batches[0] == 6
    assert len(model.batches) <= 3


def test_hopeless_candidates_are_given_up_at_once() -> None:
    """Where one is far surer than the others, no second forward is needed."""
    model = Calibrated([3 + index % 10 for index in range(8)], margin=9.0)
    assert choose_length(model.predict, MASK, gap, (1, 2, 4, 8, 16, 32)) == 8
    assert model.batches == [6]


def test_one_candidate_needs_no_forward() -> None:
    """There is nothing to choose."""
    model = Calibrated([3])
    assert choose_length(model.predict, MASK, gap, (7,)) == 7
    assert not model.batches
