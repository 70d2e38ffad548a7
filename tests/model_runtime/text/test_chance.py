"""How likely tokens are, and texts that begin as they do."""

from __future__ import annotations

import math

import pytest
from support.tiny_canvas import tokenizer

from model_runtime.text.chance import chance_of, chances_spelled

TOKENIZER = tokenizer()


def test_a_token_counts_for_the_texts_that_it_begins() -> None:
    """`)` is right where the model is torn between it and `):` and `)` with a line end."""
    chance = chance_of(")", 0.4, [(")", 0.4), ("):", 0.3), (")\n", 0.2), ("]", 0.1)])

    assert math.exp(chance.own) == pytest.approx(0.4)
    assert math.exp(chance.begun) == pytest.approx(0.9)


def test_nothing_said_is_nothing_wrong() -> None:
    """A token that only ends the line claims no text."""
    assert chance_of("", 0.2, [("\n", 0.2), ("x", 0.8)]).begun == pytest.approx(0.0)


def test_half_a_character_counts_for_itself_alone() -> None:
    """Which other half would have followed nobody knows."""
    chance = chance_of("\ufffd", 0.3, [("\ufffd", 0.3), ("\ufffd", 0.3)])

    assert chance.begun == chance.own


def test_impossible_tokens_have_a_logarithm() -> None:
    """Forced ones may have had no probability at all."""
    assert math.isfinite(chance_of("a", 0.0, []).own)


def test_a_token_that_spells_what_stands_there_is_sure() -> None:
    """Its probability is among those that spell it, not among all."""
    a, b = TOKENIZER.encode("ab")
    row = [a, b], [0.01, 0.99]

    (chance,) = chances_spelled(TOKENIZER, "a", [a], [row], is_indented=False)

    assert chance.own == pytest.approx(0.0)
