"""Where a fill begins inside of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import ask, tokenizer

from model_runtime.text.healing import find_half, own_tokens, spell

if TYPE_CHECKING:
    from model_runtime.text.tokenizer import CodeTokenizer

TOKENIZER = tokenizer()

HALVES = [
    ("    retu", " retu"),
    ("self.get_na", "_na"),
    ("x = ", " "),
    ("\n    ", "    "),
    ("x  ", " "),
    ("call(", "("),
    ("a ==", " =="),
    ("\t", "\t"),
    # A digit is a token, a new line begins anew, and what is longer than any token is let be.
    ("x1", ""),
    ("x = 1\n", ""),
    ("", ""),
    ("a" * 40, ""),
]


class Words:
    """A tokenizer of four tokens, for what the one of characters can't show."""

    texts = ("re", "tu", "return", "tua")

    def encode(self, text: str) -> list[int]:
        """Return the ids of the two short ones."""
        return {"retua": [0, 3], "tu": [1], "": []}[text]

    def decode(self, token_ids: list[int]) -> str:
        """Return their texts."""
        return "".join(self.texts[token_id] for token_id in token_ids)


class Blanks(Words):
    """The same, of four blanks and what may stand behind them."""

    texts = ("   ", " a", "     ", " ")

    def encode(self, text: str) -> list[int]:
        """Return three of the blanks, and the last one with a word if there is any."""
        return {"    a": [0, 1], " ": [3], "": []}[text]


WORDS: CodeTokenizer = Words()  # type: ignore[assignment]  # as much of one as is asked for
BLANKS: CodeTokenizer = Blanks()  # type: ignore[assignment]


@pytest.mark.parametrize(("prefix", "half"), HALVES)
def test_a_half_is_what_a_tokenizer_may_not_cut_off(prefix: str, half: str) -> None:
    """Letters with the character before them, one blank, a run of punctuation."""
    # The tokenizer of the tests has no tab.
    assert find_half(prefix, TOKENIZER) == half.replace("\t", "")


@given(prefix=st.text(max_size=60))
def test_a_half_ends_the_prefix_in_its_last_line(prefix: str) -> None:
    """Whatever stands before the cursor."""
    half = find_half(prefix, TOKENIZER)
    assert prefix.endswith(half)
    assert not set(half) & set("\r\n")


@given(
    half=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12),
    data=st.data(),
)
def test_what_is_chosen_spells_the_half(half: str, data: st.DataObject) -> None:
    """Whatever the model finds likely, and however often it is asked again."""
    n_own = len(own_tokens(TOKENIZER, half))
    ranked = [
        data.draw(st.lists(st.integers(0, 90), max_size=8), label="likeliest") for _ in range(n_own)
    ]
    chosen, rest = spell(TOKENIZER, half, ranked)
    assert chosen
    assert TOKENIZER.decode(chosen) + rest == half


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [
        # A longer token is as good as the half's own, and a likelier one better.
        ([[2, 0], [1]], ([2], "")),
        ([[0, 2], [1]], ([0, 1], "")),
        # What says something else is passed over, and where nothing fits the half's own stay.
        ([[1, 2], []], ([2], "")),
        ([[1], []], ([0, 1], "")),
    ],
)
def test_the_likeliest_token_that_fits_is_taken(
    ranked: list[list[int]], expected: tuple[list[int], str]
) -> None:
    """The half's own tokens go on to the next place; another one ends the choice."""
    assert spell(WORDS, "retu", ranked) == expected


@pytest.mark.parametrize(("is_indented", "expected"), [(False, ([2], "")), (True, ([0, 1], ""))])
def test_an_indentation_is_not_lengthened(
    *, is_indented: bool, expected: tuple[list[int], str]
) -> None:
    """Where it is a block's; one that stands before the cursor may be."""
    assert spell(BLANKS, "    ", [[2, 0], [2, 1]], is_indented=is_indented) == expected


# The marker of a hole is not shown to the model, so it is no half token either.
@given(
    prefix=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).filter(
        lambda text: "___" not in text
    )
)
@settings(max_examples=25, deadline=None)
def test_the_file_keeps_its_half_token(prefix: str) -> None:
    """A fill never says again what stands before the cursor, and is as long as was asked for."""
    for seed in (0, 1):
        finished = ask("", prefix=prefix, weights=seed)
        half = find_half(prefix, TOKENIZER)
        n_tokens = finished.usage.n_tokens
        text = finished.alternatives[0].texts[0]
        assert len(text) <= n_tokens - len(half)
