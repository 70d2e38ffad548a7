"""What of a long file is shown."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from support.tiny_canvas import tokenizer

from model_runtime.text.window import CHARACTERS_PER_TOKEN, N_STEPS, around

TOKENIZER = tokenizer()
#: One token each, none like its neighbours.
FILE = "".join(chr(ord("a") + i * i % 26) for i in range(700))


@given(n_before=st.integers(0, len(FILE)), n_after=st.integers(0, 60), n_tokens=st.integers(1, 40))
def test_the_nearest_is_shown_and_no_more_than_fits(
    n_before: int, n_after: int, n_tokens: int
) -> None:
    """The end of what stands before the span, the beginning of what follows, and room beside."""
    prefix, suffix = FILE[:n_before], FILE[:n_after]
    before, after, n_free = around(prefix, suffix, n_tokens, TOKENIZER)
    assert prefix.endswith(TOKENIZER.decode(before))
    assert suffix.startswith(TOKENIZER.decode(after))
    assert n_free >= 0
    assert len(before) + len(after) + n_free <= n_tokens
    if n_before <= n_tokens // 2 and n_after <= n_tokens // 4:
        assert (len(before), len(after)) == (n_before, n_after)
    if n_before >= n_tokens:
        # No more than one step of the room is given away.
        assert len(before) + len(after) + n_free >= n_tokens - n_tokens // N_STEPS


# The two cuts shifted each other.
@example(n_before=279, n_after=21, n_tokens=29, n_typed=195)
@given(
    n_before=st.integers(0, 400),
    n_after=st.integers(0, 60),
    n_tokens=st.integers(8, 40),
    n_typed=st.integers(1, 200),
)
def test_who_types_seldom_moves_the_window(
    n_before: int, n_after: int, n_tokens: int, n_typed: int
) -> None:
    """What is cut off on both sides changes once in a step: of tokens, and of characters."""
    suffix, step = FILE[:n_after], n_tokens // N_STEPS
    windows = set()
    for n in range(n_before, n_before + n_typed):
        before, after, _ = around(FILE[:n], suffix, n_tokens, TOKENIZER)
        windows.add((n - len(before), len(after)))
    n_moves = n_typed // step + n_typed // (step * CHARACTERS_PER_TOKEN)
    assert len(windows) <= 3 + n_moves
