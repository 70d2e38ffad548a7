"""What of a long file is shown: what stands nearest to the span.

The beginning is cut off in steps, counted from the file's own: whoever types on in a long file
moves the cut once in a while, and not with every key. What is cut elsewhere is another context to
the cache, which has to be encoded as a whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.text.tokenizer import CodeTokenizer

#: Steps that make up the room there is: with more of them less is cut off, but oftener.
N_STEPS = 4
#: No more than this is tokenised for each token that can be used; long texts cost time.
CHARACTERS_PER_TOKEN = 8
#: Share of the room that what follows the span may have.
SUFFIX_SHARE = 0.3


# A request asks several times: whether to glance at it first, to fill it, to rank its fills.
@lru_cache(maxsize=4)
def around(
    prefix: str, suffix: str, n_tokens: int, tokenizer: CodeTokenizer
) -> tuple[list[int], list[int], int]:
    """Return the tokens before a span and behind it, and how many others there is room for.

    The lists are shared between calls, and not to be changed.

    Args:
        prefix: the file up to the span.
        suffix: the file behind it.
        n_tokens: the most that all of these may be.
        tokenizer: of the model.
    """
    step = max(1, n_tokens // N_STEPS)
    before = tokenizer.encode(tail(prefix, n_tokens))
    # As if there were a little more before the span, so that not every key takes from behind it.
    n_before = stepped(len(before), step)
    n_after = max(int(n_tokens * SUFFIX_SHARE), n_tokens - n_before)
    after = tokenizer.encode(head(suffix, n_after))[:n_after]
    n_before = min(n_before, n_tokens - len(after))
    before = before[stepped(len(before) - n_before, step) :]
    return before, after, n_tokens - len(after) - n_before


def tail(text: str, n_tokens: int) -> str:
    """Return the end of a text, more than enough for so many tokens of source code."""
    # Whole steps of `around`, each with characters enough: the two cuts don't shift each other.
    step = CHARACTERS_PER_TOKEN * max(1, n_tokens // N_STEPS)
    return text[stepped(len(text) - CHARACTERS_PER_TOKEN * n_tokens, step) :]


def head(text: str, n_tokens: int) -> str:
    """Return the beginning of a text, more than enough for so many tokens of source code."""
    return text[: CHARACTERS_PER_TOKEN * n_tokens]


def stepped(n: int, step: int) -> int:
    """Return the first multiple of a step from `n` on, and from 0 on."""
    return max(0, -(-n // step) * step)
