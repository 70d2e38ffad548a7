"""Scores of what stands there: nothing changes, every token is told of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import ask

from model_runtime.errors import BadRequest, CanvasTooLong
from model_runtime.protocol import MaskSpan


@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
@settings(max_examples=25, deadline=None)
def test_every_token_of_the_text_is_scored(text: str) -> None:
    """Their characters are those of the text, and the text comes back as it is."""
    finished = ask(text, mode="score")
    (alternative,) = finished.alternatives
    assert (alternative.texts, alternative.finish) == ((text,), "unchanged")
    assert sum(score.n_chars for score in finished.scores) == len(text)
    for score in finished.scores:
        assert score.doubt >= 0


def test_a_token_that_the_model_would_say_is_not_doubted() -> None:
    """What it says itself has no doubt, and it names what it would say."""
    filled = ask("", prefix="x = 1\n").alternatives[0].texts[0]
    scores = ask(filled, prefix="x = 1\n", mode="score").scores
    assert scores
    assert {score.doubt for score in scores} == {0.0}
    assert "".join(score.instead for score in scores) == filled


def test_what_the_model_doubts_it_would_say_otherwise() -> None:
    """There is a doubt exactly where another token is named."""
    text = "total = total + value"
    for character, score in zip(text, ask(text, mode="score").scores, strict=True):
        assert (score.doubt > 0) == (score.instead != character)


def test_other_modes_score_nothing() -> None:
    """Only who asks pays."""
    assert ask("a = b", mode="repair").scores == ()


def test_one_selection_is_scored_at_a_time() -> None:
    """And no more of it than fits; both are said plainly."""
    with pytest.raises(BadRequest, match="score takes one span; the request has 2"):
        ask("a", "b", mode="score")
    with pytest.raises(CanvasTooLong, match=r"the selection has \d+ tokens; score takes at most"):
        ask("x" * 5000, mode="score", spans=(MaskSpan(text="x\n" * 5000),))
