"""What of a text is worth showing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.protocol import Stretch
from model_runtime.text.showing import sure_part, up_to


def stretches(*pairs: tuple[int, float]) -> list[Stretch]:
    """Return stretches of so many characters and so much confidence."""
    return [Stretch(n_chars=n, confidence=c) for n, c in pairs]


@pytest.mark.parametrize(
    ("text", "pairs", "shown"),
    [
        ("return x", [(6, 0.9), (2, 0.8)], "return x"),
        ("return x", [(6, 0.9), (2, 0.3)], "return"),
        ("return x", [(7, 0.9), (1, 0.3)], "return"),
        ("returned", [(6, 0.9), (2, 0.3)], ""),
        ("foo(bar)", [(3, 0.9), (1, 0.8), (3, 0.7), (1, 0.3)], "foo(bar"),
        (")", [(1, 0.9), (0, 0.1)], ""),
        ("anything", [], "anything"),
        ("", [], ""),
    ],
)
def test_a_text_is_shown_as_far_as_it_is_sure(
    text: str, pairs: list[tuple[int, float]], shown: str
) -> None:
    """It ends at a word's end, without blanks; one mark alone is not worth a look."""
    assert sure_part(text, stretches(*pairs), 0.6) == shown


texts = st.text("ab_1 (.)\n", max_size=20)
cuts = st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1)), max_size=8)


@given(texts, cuts, st.floats(0, 1), st.floats(0, 1))
def test_more_is_shown_to_who_wants_more(
    text: str, pairs: list[tuple[int, float]], one: float, other: float
) -> None:
    """What is shown begins as the text does and splits no word; who wants more sees no less."""
    falling, least = [], 1.0
    for n, confidence in pairs:
        least = min(least, confidence)
        falling.append((n, least))
    if sum(n for n, _ in falling) != len(text):
        falling = [*falling, (max(0, len(text) - sum(n for n, _ in falling)), 0.0)]
    told = up_to(stretches(*falling), len(text))
    low, high = sorted((one, other))

    eager, quiet = sure_part(text, told, low), sure_part(text, told, high)

    assert text.startswith(eager)
    assert eager.startswith(quiet)
    rest = text[len(quiet) :]
    assert not (quiet and rest and quiet[-1].isalnum() and rest[0].isalnum())
    assert sum(one.n_chars for one in told) == len(text)
