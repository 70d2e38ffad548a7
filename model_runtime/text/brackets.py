"""Brackets: a fill does not close what the file closes behind it.

Inside of `sum(|)` the model likes to say the bracket as well, and more behind it: it looks at what
follows only as far as it has learned to. Where the file opens no more brackets before a span on its
line than it closes behind it, a fill closes its own and no others.
"""

from __future__ import annotations

import re

_PAIRS = {")": "(", "]": "[", "}": "{"}
_STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\\n])*`")
_QUOTES = re.compile("[\"'`]")


def within_brackets(text: str, prefix: str, suffix: str) -> str:
    """Return a fill up to where it closes the bracket that the file closes right behind it.

    One that opens as much as it closes stays whole (`} else {`), and so does one where strings make
    it hard to say.

    Args:
        text: the fill.
        prefix: the file up to it.
        suffix: the file behind it.
    """
    here, rest = prefix.rpartition("\n")[2], suffix.partition("\n")[0]
    parts = _without_strings(here), _without_strings(text), _without_strings(rest)
    if any(map(_QUOTES.search, parts)):
        return text
    n_opened, (closed, n_left_open) = _unmatched(parts[0])[1], _unmatched(parts[1])
    n_own = max(0, n_opened - len(_unmatched(parts[2])[0]))
    if len(closed) <= n_own + n_left_open:
        return text
    at = closed[n_own]
    return text[:at] if rest.lstrip().startswith(text[at]) else text


def _without_strings(text: str) -> str:
    """Return a text of the same length with nothing in its strings."""
    return _STRING.sub(lambda found: " " * len(found.group()), text)


def _unmatched(text: str) -> tuple[list[int], int]:
    """Return where a text closes brackets that it did not open, and how many it leaves open."""
    closed: list[int] = []
    opened: list[str] = []
    for at, character in enumerate(text):
        if character in _PAIRS.values():
            opened.append(character)
        elif character in _PAIRS:
            if opened and opened[-1] == _PAIRS[character]:
                opened.pop()
            else:
                closed.append(at)
    return closed, len(opened)
