"""What was not asked for: a function's head once more inside of it, a second one behind it.

The span stands in a function that the file has begun already. An answer that begins with that very
head says again what stands before the span, line for line; what follows is the span. And where the
answer leaves the function, it is over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model_runtime.text.indentation import indentation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.protocol import Enclosing

#: A line that may stand at the left in any block: of a string, a comment, the preprocessor.
_ANYWHERE = re.compile(r"[\"'#`]")
#: What takes arguments and opens a block.
_HEAD = re.compile(r"\w.*\(.*\).*[:{]$")


def within_function(text: str, prefix: str, where: Enclosing | None) -> str:
    """Return an answer without what it says again of the function around its span.

    Args:
        text: the answer.
        prefix: the file up to the span.
        where: the function; None where nobody told, and then it is read from the lines.
    """
    for begun in _begun(text, prefix, where):
        kept = _without_head(text, begun)
        if kept != text:
            n_outside = len(indentation(begun)) + 1
            lines = kept.split("\n")
            n_lines = next((n for n, line in enumerate(lines) if n and _leaves(line, n_outside)), 0)
            return "\n".join(lines[:n_lines]).rstrip() if n_lines else kept
    return text


def _begun(text: str, prefix: str, where: Enclosing | None) -> Iterator[str]:
    """Yield what stands before a span from the head of each function on that it may stand in."""
    if where is not None:
        yield prefix[prefix.rfind("\n", 0, len(prefix) - where.n_before) + 1 :]
        return
    head = text.lstrip().partition("\n")[0].strip()
    if not _HEAD.match(head) or head not in prefix:
        return
    *above, here = prefix.split("\n")
    # Behind a blank line at the left a function is over.
    last = above[-1] if above and not here else ""
    n_inside = len(indentation(last)) + 1 if last.strip() else len(indentation(here))
    at = len(prefix) - len(here)
    for line in reversed(above):
        at -= len(line) + 1
        if line.strip() and len(indentation(line)) < n_inside:
            n_inside = len(indentation(line))
            if line.strip() == head:
                yield prefix[at:]


def _without_head(text: str, begun: str) -> str:
    """Return a text behind the lines that it shares with what is begun; all if there are none."""
    before = [line.strip() for line in begun.split("\n") if line.strip()]
    lines = text.split("\n")
    at = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if not before or lines[at].strip() != before[0]:
        return text
    for line in before:
        while at < len(lines) and not lines[at].strip():
            at += 1
        if at == len(lines) or lines[at].strip() != line:
            break
        at += 1
    return "\n".join(lines[at:]).lstrip()


def _leaves(line: str, n_outside: int) -> bool:
    """Say whether a line stands left of a function's body."""
    code = line.strip()
    return bool(code) and len(indentation(line)) < n_outside and not _ANYWHERE.match(code)
