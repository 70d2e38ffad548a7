"""Python's blocks: how far the first line of one has to stand in.

A line behind `if x:` that stands no further in than the `if` breaks the file, whatever it says. The
model often says one, since the line that the file goes on with may well stand there. So where a
fill begins a block it is made to begin with the block's indentation, or more of it.
"""

from __future__ import annotations

import re
from itertools import pairwise

_OPENS = re.compile(
    r"[ \t]*"
    r"(?:(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b|\))"
    r".*:[ \t]*(?:#.*)?\r?\Z"
)
#: Where a file does not show what it indents by.
_USUAL = "    "


def indentation_in_block(prefix: str, language: str) -> str:
    """Return what the line that a text ends with has to begin with; empty where anything may.

    Args:
        prefix: the file up to a span.
        language: LSP language id.
    """
    *lines, here = prefix.split("\n")
    if language != "python" or here.strip() or _is_in_string(prefix):
        return ""
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not code or not _OPENS.match(code[-1]):
        return ""
    return indentation(code[-1]) + _step(code)


def _step(code: list[str]) -> str:
    """Return what the last block before indents by."""
    for before, after in reversed(list(pairwise(code))):
        outer, inner = indentation(before), indentation(after)
        if _OPENS.match(before) and inner.startswith(outer) and inner != outer:
            return inner[len(outer) :]
    return _USUAL


def indentation(line: str) -> str:
    """Return the blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip())]


def _is_in_string(text: str) -> bool:
    """Say whether a text ends inside of a string of several lines."""
    return any(text.count(quotes) % 2 for quotes in ('"""', "'''"))
