"""How likely single tokens are, and texts that begin as they do."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.text.healing import fits
from model_runtime.text.tokenizer import HALF

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model_runtime.text.tokenizer import CodeTokenizer

#: No token is less likely: its logarithm is a number.
_LEAST = 1e-9
#: Tokens that are named beside one.
N_OTHERS = 4


class Chance(NamedTuple):
    """Of one token, given all before it, in nats."""

    #: That it is this one.
    own: float
    #: That it is one which begins with the text of this one.
    begun: float
    #: The likeliest tokens in its place and how likely each is, the best first; empty where that is
    #: not known.
    others: tuple[tuple[int, float], ...] = ()


def chance_of(text: str, own: float, others: Sequence[tuple[str, float]]) -> Chance:
    """Return the chance of a token.

    Args:
        text: what of it counts; may be empty.
        own: its probability.
        others: texts and probabilities of the likeliest tokens in its place, itself among them.
    """
    # Of half a character nobody knows how it goes on.
    alike = () if HALF in text else (p for other, p in others if other.startswith(text))
    begun = min(1.0, max(own, sum(alike)))
    return Chance(math.log(max(own, _LEAST)), math.log(max(begun, _LEAST)))


def chance_of_token(
    tokenizer: CodeTokenizer,
    token_id: int,
    own: float,
    others: Sequence[int],
    chances: Sequence[float],
    *,
    is_one_line: bool,
) -> Chance:
    """Return the chance of a token.

    Args:
        tokenizer: of the model.
        token_id: the token.
        own: its probability.
        others: the likeliest tokens in its place, itself among them.
        chances: their probabilities.
        is_one_line: what a token says behind a line end does not count.
    """
    said = tokenizer.decode([token_id])
    if is_one_line:
        said = said.partition("\n")[0].rstrip("\r")
    texts = [tokenizer.decode([other]) for other in others]
    found = chance_of(said, own, list(zip(texts, chances, strict=True)))
    return found._replace(others=_likeliest(zip(others, chances, strict=True)))


def chances_spelled(
    tokenizer: CodeTokenizer,
    half: str,
    chosen: Sequence[int],
    rows: Sequence[tuple[Sequence[int], Sequence[float]]],
    *,
    is_indented: bool,
) -> list[Chance]:
    """Return the chances of tokens that were chosen to spell a half token, given that they do.

    Args:
        tokenizer: of the model.
        half: what they spell.
        chosen: see `healing.spell`.
        rows: for each of them, the likeliest tokens in its place and their probabilities.
        is_indented: see `healing.spell`.
    """
    found: list[Chance] = []
    for token_id, (token_ids, probabilities) in zip(chosen, rows, strict=False):
        said = tokenizer.decode([token_id])
        texts = [tokenizer.decode([other]) for other in token_ids]
        fitting = [
            (other, text, p)
            for other, text, p in zip(token_ids, texts, probabilities, strict=True)
            if fits(text, half, is_indented=is_indented)
        ]
        total = sum(p for _, _, p in fitting)
        own = dict(zip(token_ids, probabilities, strict=True)).get(token_id, 0.0)
        if total <= 0 or own <= 0:
            # It is there because it must be, and nothing else fits.
            found.append(Chance(0.0, 0.0))
        else:
            chance = chance_of(said, own / total, [(text, p / total) for _, text, p in fitting])
            others = _likeliest((other, p / total) for other, _, p in fitting)
            found.append(chance._replace(others=others))
        half = half[len(said) :]
    return found


def _likeliest(ranked: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Return the first of some tokens and their probabilities, in nats."""
    return tuple((token_id, math.log(max(p, _LEAST))) for token_id, p in islice(ranked, N_OTHERS))
