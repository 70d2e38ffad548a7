"""The length that a calibrated model is surest of is the right one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.lengths import choose_length
from model_runtime.errors import Cancelled

MASK, VOCAB = 19, 20


class Calibrated:
    """Knows one text: sure of each token where the gap has its length, unsure where it has not.

    Args:
        true: tokens of the gap.
    """

    def __init__(self, true: list[int]) -> None:
        self.true = true
        self.batches: list[int] = []

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Say the true token at the true place, flatter the more the length is off."""
        del noise_level
        assert attention_mask is not None
        self.batches.append(len(token_ids))
        logits = torch.zeros(*token_ids.shape, VOCAB)
        for row, real in zip(range(len(token_ids)), attention_mask.sum(1).tolist(), strict=True):
            length = int(real) - 2
            start = token_ids.shape[1] - int(real) + 1
            sure = 6.0 / (1 + abs(length - len(self.true)))
            for index in range(length):
                logits[row, start + index, self.true[index % len(self.true)]] = sure
        return logits


def lay_out(length: int) -> Canvas:
    """Return one token, a gap, and one more."""
    token_ids = torch.tensor([1, *[MASK] * length, 2])
    return Canvas(token_ids, token_ids != MASK, MASK)


@pytest.mark.parametrize("length", [1, 2, 4, 8, 16, 32])
def test_the_right_length_is_found(length: int) -> None:
    """Among all candidates, in as many forwards as it takes to halve them to one."""
    model = Calibrated([3 + index % 10 for index in range(length)])
    assert choose_length(model, MASK, lay_out, (1, 2, 4, 8, 16, 32)) == length
    assert model.batches == [6, 3, 2]


def test_one_candidate_needs_no_forward() -> None:
    """There is nothing to choose."""
    model = Calibrated([3])
    assert choose_length(model, MASK, lay_out, (7,)) == 7
    assert not model.batches


def test_it_stops_between_two_forwards() -> None:
    """A request that is cancelled asks no more."""

    def check() -> None:
        if model.batches:
            raise Cancelled("enough")

    model = Calibrated([3, 4])
    with pytest.raises(Cancelled):
        choose_length(model, MASK, lay_out, (1, 2, 4), check)
    assert len(model.batches) == 1
