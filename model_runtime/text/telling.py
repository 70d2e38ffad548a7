"""Lines that are known by what they say, and those that a file has often."""

from __future__ import annotations

import re

#: Letters and digits by which lines behind a span are known: of `}` and `i += 1` a file has many.
MIN_SURE = 4
#: These say nothing of which line it is.
_COMMON = re.compile(
    r"\W*(?:pass|break|continue|return|else|try|finally|do|then|begin|end|endif|done|esac|default"
    r"|next|loop|catch)?\W*\Z"
)
#: Blank lines and the line end before a line.
LINE_ENDS = r"[ \t]*\n(?:[ \t]*\n)*"


def is_telling(line: str) -> bool:
    """Say whether a line is known by what it says: not of one word that a file has often."""
    return _n_sure(line) >= MIN_SURE


def _n_sure(line: str) -> int:
    return 0 if _COMMON.match(line) else sum(map(str.isalnum, line))


def first_lines(suffix: str) -> re.Pattern[str] | None:
    """Return the pattern of the first lines behind a span, however many blank lines part them."""
    rest, *lines = suffix.split("\n")
    pattern, n_sure = re.escape(rest.rstrip()), _n_sure(rest)
    for line in lines:
        if n_sure >= MIN_SURE:
            break
        if line.strip():
            pattern += LINE_ENDS + re.escape(line.rstrip())
            n_sure += _n_sure(line)
    return re.compile(pattern + r"[ \t]*\n") if n_sure >= MIN_SURE else None
