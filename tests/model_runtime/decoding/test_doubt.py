"""What a row gives the mask is doubt: never a token, and never taken out of the sum."""

from __future__ import annotations

import pytest
import torch

from model_runtime.decoding.choose import certainty, draw_tokens

MASK = 3
#: Sure of token 0; sure of nothing but the mask; split between two tokens.
ROWS = torch.tensor([[4.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 9.0], [3.0, 2.9, 0.0, 0.0]])


def test_the_mask_is_never_drawn_and_counts_against_the_token() -> None:
    """The best clean token is taken, at the probability that it has beside the mask."""
    tokens, confidence = draw_tokens(ROWS, 0.0, torch.Generator(), MASK)

    assert tokens.tolist() == [0, 0, 0]
    torch.testing.assert_close(confidence, ROWS.softmax(-1)[:, 0])


@pytest.mark.parametrize("kind", ["maskgit_plus", "topk_margin", "entropy"])
def test_a_row_that_is_sure_of_the_mask_comes_last(kind: str) -> None:
    """However sharp it is: it knows no token."""
    sure = certainty(ROWS.softmax(-1), torch.zeros(3, dtype=torch.long), kind, MASK)

    assert sure.argsort(descending=True).tolist() == [0, 2, 1]
