"""Token healing: a fill that begins inside of a token is begun a little earlier.

A cursor seldom stands where a token ends. The text before it is then cut into tokens that the model
has hardly ever seen in a row, and what it says next suffers: behind `retu` it would have to say
`rn`, and behind a blank a word without one, though nearly all its words begin with their blank. So
the half token is taken off the prompt, and the first tokens of the fill are made to spell it again
(S. Lundberg 2023, "The art of prompt design: prompt boundaries and token healing").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model_runtime.text.tokenizer import CodeTokenizer

#: What the tokenizer would not cut off from a text that goes on: a line's indentation, letters and
#: the character before them, one blank, a run of punctuation. A digit is always a token of its own,
#: and behind a line end most text begins anew.
_HALF = re.compile(r"(?:(?<![^\n])[ \t]+|(?:[^\w\r\n]|_)?[^\W\d_]+|[ \t]|[ ]?(?:[^\w\s]|_)+)\Z")
#: A longer one is left alone.
_MAX_HALF = 32


def find_half(prefix: str, tokenizer: CodeTokenizer) -> str:
    """Return the end of a text which may be the beginning of a token; empty where none is."""
    found = _HALF.search(prefix[-_MAX_HALF - 1 :])
    half = found.group() if found else ""
    # A character that needs several tokens has no text until the last of them.
    spelled = "".join(tokenizer.decode([token_id]) for token_id in tokenizer.encode(half))
    return half if len(half) <= _MAX_HALF and spelled == half else ""


def own_tokens(tokenizer: CodeTokenizer, half: str) -> list[int]:
    """Return the tokens of a half token as they are likely to be where a text goes on behind it."""
    token_ids: list[int] = []
    for token_id in tokenizer.encode(f"{half}a"):
        text = tokenizer.decode([*token_ids, token_id])
        if not half.startswith(text):
            break
        token_ids.append(token_id)
    return token_ids + tokenizer.encode(half[len(tokenizer.decode(token_ids)) :])


def spell(
    tokenizer: CodeTokenizer,
    half: str,
    ranked: Sequence[Iterable[int]],
    *,
    is_indented: bool = False,
) -> tuple[list[int], str]:
    """Choose tokens that spell a half token, the likeliest at each place.

    Args:
        tokenizer: of the model.
        half: what is to be spelled.
        ranked: for each of its `own_tokens` in turn, given those before it, the likeliest tokens.
        is_indented: whether no more blanks may follow: it ends with a line's indentation.

    Returns:
        the tokens up to the first that is not one of its own, and what of `half` they leave
        to be spelled: nothing, or what follows that token.
    """
    chosen: list[int] = []
    for own, likeliest in zip(own_tokens(tokenizer, half), ranked, strict=True):
        texts = ((token_id, tokenizer.decode([token_id])) for token_id in likeliest)
        fitting = (i for i, text in texts if fits(text, half, is_indented=is_indented))
        token_id = next(fitting, own)
        chosen.append(token_id)
        half = half[len(tokenizer.decode([token_id])) :]
        if token_id != own:
            break
    return chosen, half


def fits(text: str, half: str, *, is_indented: bool) -> bool:
    """Say whether a token holds a part of a half token, or goes on with it."""
    if half.startswith(text):
        return bool(text)
    return text.startswith(half) and not (is_indented and text[len(half)].isspace())
