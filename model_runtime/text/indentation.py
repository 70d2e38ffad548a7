"""How far in a line stands: the first one of Python's blocks, and the least of a span's.

A line behind `if x:` that stands no further in than the `if` breaks the file, whatever it says. The
model often says one, since the line that the file goes on with may well stand there. So where a
fill begins a block it is made to begin with the block's indentation; behind the colon itself, with
a new line before that.
"""

from __future__ import annotations

import re
from itertools import pairwise

from model_runtime.text.scan import scan
from model_runtime.text.syntax import syntax_of
from model_runtime.text.trim import n_shared

_OPENS = re.compile(
    r"[ \t]*"
    r"(?:(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b|\))"
    r".*:[ \t]*(?:#.*)?\r?\Z"
)
#: The last line of a text that opens a block ends so.
_OPENERS = ":", "{", "(", "["
#: Where a file does not show what it indents by.
_USUAL = "    "
#: Lines looked at for what a file indents by.
N_LINES = 60


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
    if is_behind and (single_line or rest.strip() or _is_open(here)):
        # A body may stand behind the colon, and this one is to; or the colon opens none.
        return ""
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if is_behind:
        code.append(here)
    if not code or not _OPENS.match(code[-1]):
        return ""
    block = indentation(code[-1]) + _step(code)
    return f"\n{block}" if is_behind else block[n_shared(block, here) :]


def _is_open(line: str) -> bool:
    """Say whether a line leaves a bracket or a string open; a comment behind it says nothing."""
    opened = scan(line, syntax_of("python")).opened
    return any(one.quote is None or not one.quote.is_comment for one in opened)


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


def own_blanks(prefix: str, suffix: str, usual: str) -> str:
    """Return what a file indents by at a place: a tab or a blank; empty where nothing shows it.

    Args:
        prefix: the file up to it.
        suffix: the file behind it.
        usual: for the language; counts where the file shows nothing.
    """
    here = prefix.rpartition("\n")[2]
    if here and not here.strip():
        return here[0] if here[0] in "\t " else usual
    for line in (*reversed(prefix.split("\n")[-N_LINES:]), *suffix.split("\n")[1:N_LINES]):
        blanks = indentation(line)
        # Comments of several lines are set off by one blank.
        if line.strip() and (blanks[:1] == "\t" or len(blanks) > 1):
            return blanks[0]
    return usual


def _is_in_string(text: str) -> bool:
    """Say whether a text ends inside of a string of several lines."""
    return any(text.count(quotes) % 2 for quotes in ('"""', "'''"))


def floor_of(begun: str) -> int:
    """Return the least column of the lines of a function's body.

    Args:
        begun: the function up to the body, from the start of its line.
    """
    return len(indentation(begun)) + 1


def floor_between(prefix: str, suffix: str) -> int:
    """Return the column at which the block of a span begins; 0 where it is the file's own.

    A span may leave the block that it begins in, down to where the file goes on; but what follows
    a function is no part of it.
    """
    here = next((line for line in reversed(prefix.split("\n")) if line.strip()), "")
    last = prefix.rpartition("\n")[2]
    own = len(last) if last and not last.strip() else len(indentation(here))
    own += not last and here.rstrip().endswith(_OPENERS)
    behind = next((line for line in suffix.split("\n")[1:] if line.strip()), "")
    return min(own, max(1, len(indentation(behind))))
