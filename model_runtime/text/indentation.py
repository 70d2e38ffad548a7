"""Python's blocks: how far the first line of one has to stand in.

A line behind `if x:` that stands no further in than the `if` breaks the file, whatever it says. The
model often says one, since the line that the file goes on with may well stand there. So where a
fill begins a block it is made to begin with the block's indentation; behind the colon itself, with
a new line before that.
"""

from __future__ import annotations

import re
from itertools import pairwise

from model_runtime.text.brackets import n_left_open
from model_runtime.text.trim import n_shared

_OPENS = re.compile(
    r"[ \t]*"
    r"(?:(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b|\))"
    r".*:[ \t]*(?:#.*)?\r?\Z"
)
#: Where a file does not show what it indents by.
_USUAL = "    "


def block_opening(prefix: str, rest: str, language: str, *, single_line: bool) -> str:
    """Return what a fill that begins a block has to begin with; empty where anything may.

    Args:
        prefix: the file up to a span.
        rest: what stands behind the span on its last line.
        language: LSP language id.
        single_line: whether the fill is to have one line.
    """
    if language != "python" or _is_in_string(prefix):
        return ""
    *lines, here = prefix.split("\n")
    is_behind = bool(here.strip())
    if is_behind and (single_line or rest.strip() or n_left_open(here)):
        # A body may stand behind the colon, and this one is to; or the colon opens none.
        return ""
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if is_behind:
        code.append(here)
    if not code or not _OPENS.match(code[-1]):
        return ""
    block = indentation(code[-1]) + _step(code)
    return f"\n{block}" if is_behind else block[n_shared(block, here) :]


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
