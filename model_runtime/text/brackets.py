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
    parts = [_without_strings(part) for part in (here, text, rest)]
    if any(map(_QUOTES.search, parts)):
        return text
    (_, n_open), (closing, n_opened), (closed_behind, _) = map(_unmatched, parts)
    # What the line opens and nothing behind closes is the fill's to close.
    n_own = max(0, n_open - len(closed_behind))
    if len(closing) - n_opened <= n_own:
        return text
    at = closing[n_own]
    return text[:at] if rest.lstrip().startswith(text[at]) else text


def n_left_open(line: str) -> int:
    """Return how many brackets a line opens and does not close, those in its strings left out."""
    return _unmatched(_without_strings(line))[1]


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
