"""Nothing that only the model is to read ever reaches the user's text."""

from __future__ import annotations

import pytest
from support.tiny_canvas import CONTROL, ask


@pytest.mark.parametrize("sampler", ["hybrid", "low_confidence", "entropy", "score_entropy"])
@pytest.mark.parametrize("weights", range(4))
def test_no_fill_has_control_tokens(sampler: str, weights: int) -> None:
    """Models of random weights want to say them all the time; a span ends there instead."""
    finished = ask("", sampler=sampler, weights=weights, n_alternatives=8)

    texts = [text for alternative in finished.alternatives for text in alternative.texts]
    assert not [token for token in CONTROL for text in texts if token in text]
