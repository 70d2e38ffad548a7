"""Faults planted in a line of Python, one each, as people make them."""

from __future__ import annotations

import contextlib
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

#: Yields the ways to plant one kind of fault; the second text is the code around the line.
Planter: TypeAlias = Callable[[str, str], Iterator[str]]

_OPERATORS = {
    "+": "-", "-": "+", "*": "+", "/": "*", "//": "/", "%": "//",
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "+=": "-=", "-=": "+=", "*=": "+=", "and": "or", "or": "and",
}  # fmt: skip
_CALL = re.compile(r"(\w\()([^(),]+), ([^(),]+)(\))")


def _replaced(line: str, token: tokenize.TokenInfo, text: str) -> str:
    return line[: token.start[1]] + text + line[token.end[1] :]


def _tokens(line: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of a line, which may be a part of a statement only."""
    found: list[tokenize.TokenInfo] = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        found.extend(tokenize.generate_tokens(io.StringIO(line).readline))
    return [token for token in found if token.start[0] == 1 and token.string.strip()]


def _operator(line: str, _: str) -> Iterator[str]:
    for token in _tokens(line):
        if other := _OPERATORS.get(token.string):
            yield _replaced(line, token, other)


def _names(text: str) -> list[str]:
    words = dict.fromkeys(re.findall(r"\b[a-z_]\w*\b", text))
    return [word for word in words if not keyword.iskeyword(word)]


def _name(line: str, around: str) -> Iterator[str]:
    used = set(_names(line))
    others = [name for name in _names(around) if name not in used]
    for token in _tokens(line):
        if token.string in used and others:
            yield _replaced(line, token, others[len(token.string) % len(others)])


def _off_by_one(line: str, _: str) -> Iterator[str]:
    for token in _tokens(line):
        if token.type == tokenize.NUMBER and token.string.isdigit():
            yield _replaced(line, token, str(int(token.string) + 1))


def _swapped(line: str, _: str) -> Iterator[str]:
    for found in _CALL.finditer(line):
        head, first, second, end = found.groups()
        yield f"{line[: found.start()]}{head}{second}, {first}{end}{line[found.end() :]}"


def _without(pattern: str) -> Planter:
    """Return what leaves out each place that a pattern finds."""

    def planter(line: str, _: str) -> Iterator[str]:
        for found in re.finditer(pattern, line):
            yield line[: found.start()] + line[found.end() :]

    return planter


PLANTERS: dict[str, Planter] = {
    "operator": _operator,
    "name": _name,
    "off by one": _off_by_one,
    "swapped": _swapped,
    "not": _without(r"\bnot "),
    "colon": _without(r":\Z"),
    "bracket": _without(r"[)\]}]"),
}


def plant(line: str, around: str, rng: random.Random) -> tuple[str, str] | None:
    """Return the line with one fault and the fault's kind; None where none fits.

    Args:
        line: one line of code, without indentation.
        around: the code it stands in, whose names a wrong name is taken from.
        rng: chooses among the kinds that fit, then among their places.
    """
    planted = {kind: [*planter(line, around)] for kind, planter in PLANTERS.items()}
    kinds = [kind for kind, lines in planted.items() if lines]
    if not kinds:
        return None
    kind = rng.choice(kinds)
    return rng.choice(planted[kind]), kind
