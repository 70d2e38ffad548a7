"""Hole markers: where code is missing, which is neither shown to the model nor said by it.

A line that holds one waits for its own fill. Shown as it is, the model would say the marker as
well; with the marker alone left out, `return ___` becomes `return`, and every function seems to
give nothing. So the whole line is left out; where it is all that a block holds, the block is shown
as what a declaration looks like whose body stands elsewhere (`def f(x): ...`, `int f(int x);`). A
line that others depend on, which opens or closes more than it closes or opens, keeps its shape.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from model_runtime.text.indentation import indentation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import InfillRequest, MaskSpan

#: Stands for a marker in a line that can't be left out: in no language it is code.
ELLIPSIS = "…"
_CLOSER = re.compile(r"[ \t]*\}[;,]?[ \t]*\Z")


def unmarked(request: InfillRequest) -> InfillRequest:
    """Return a request with no marker in what is shown of its file, nor in the other files."""
    found = _pattern(request.hole_marker)
    texts = (request.prefix, request.suffix, *(file.text for file in request.context))
    if found is None or not any(map(found.search, texts)):
        return request
    first, last = request.spans[0], request.spans[-1]
    prefix = _before(request.prefix, _n_before(first), found)
    suffix = _behind(request.suffix, _n_behind(last), found)
    spans = list(request.spans)
    spans[0] = _placed(spans[0], n_before=len(prefix[1]))
    spans[-1] = _placed(spans[-1], n_behind=len(suffix[0]))
    return msgspec.structs.replace(
        request,
        prefix="".join(prefix),
        suffix="".join(suffix),
        spans=tuple(spans),
        context=tuple(
            msgspec.structs.replace(file, text=_shown(file.text, found)) for file in request.context
        ),
    )


def holds_marker(text: str, marker: str) -> bool:
    """Say whether a text holds a marker that stands alone: `___`, not the middle of `a___b`."""
    found = _pattern(marker)
    return found is not None and found.search(text) is not None


def without_markers(text: str, marker: str) -> str:
    """Return what is to be rewritten as it is shown: nothing where it is a marker and no more."""
    found = _pattern(marker)
    if found is None or text.strip() == marker:
        return "" if found else text
    return found.sub(ELLIPSIS, text)


@lru_cache(maxsize=8)
def _pattern(marker: str) -> re.Pattern[str] | None:
    if not marker:
        return None
    before = r"(?<!\w)" if re.match(r"\w", marker) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", marker) else ""
    return re.compile(f"{before}{re.escape(marker)}{after}")


def _n_before(span: MaskSpan) -> int:
    return span.enclosing.n_before if span.enclosing else 0


def _n_behind(span: MaskSpan) -> int:
    return span.enclosing.n_behind if span.enclosing else 0


def _placed(span: MaskSpan, **lengths: int) -> MaskSpan:
    if span.enclosing is None:
        return span
    return msgspec.structs.replace(
        span, enclosing=msgspec.structs.replace(span.enclosing, **lengths)
    )


def _before(prefix: str, n_before: int, found: re.Pattern[str]) -> tuple[str, str]:
    """Return what is shown of a prefix: up to the function around the span, and from there."""
    at = len(prefix) - n_before
    lines, line_end, here = prefix[at:].rpartition("\n")
    begun = _shown(lines, found) + line_end if line_end else ""
    return _shown(prefix[:at], found), begun + found.sub(ELLIPSIS, here)


def _behind(suffix: str, n_behind: int, found: re.Pattern[str]) -> tuple[str, str]:
    rest, line_end, lines = suffix[:n_behind].partition("\n")
    within = found.sub(ELLIPSIS, rest) + (line_end + _shown(lines, found) if line_end else "")
    if n_behind:
        return within, _shown(suffix[n_behind:], found)
    rest, line_end, lines = suffix.partition("\n")
    return "", found.sub(ELLIPSIS, rest) + line_end + _shown(lines, found)


def _shown(text: str, found: re.Pattern[str]) -> str:
    """Return lines of a file without those that wait to be filled."""
    if not found.search(text):
        return text
    lines, shown = text.split("\n"), list[str]()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not found.search(line):
            shown.append(line)
        elif _is_needed(line):
            shown.append(found.sub(ELLIPSIS, line))
        else:
            at = _declared(shown, lines, at)
    return "\n".join(shown)


def _is_needed(line: str) -> bool:
    """Say whether the lines around would make no sense without this one."""
    depths = accumulate((one in "([{") - (one in ")]}") for one in line)
    *_, depth = lowest = [0, *depths]
    return depth != 0 or min(lowest) < 0 or line.rstrip().endswith(":")


def _declared(shown: list[str], lines: Sequence[str], at: int) -> int:
    """Turn what opens a block that a left out line leaves empty into a declaration.

    Args:
        shown: the lines before; the last one with text in it is changed.
        lines: of the whole text.
        at: of the line behind the one left out.

    Returns:
        The line to go on with.
    """
    opener = next((i for i in reversed(range(len(shown))) if shown[i].strip()), None)
    if opener is None:
        return at
    head = shown[opener].rstrip()
    behind = next((i for i in range(at, len(lines)) if lines[i].strip()), len(lines))
    if head.endswith("{") and behind < len(lines) and _CLOSER.match(lines[behind]):
        shown[opener:] = [f"{head[:-1].rstrip()};"]
        return behind + 1
    if head.endswith(":"):
        next_line = lines[behind] if behind < len(lines) else ""
        if len(indentation(next_line)) <= len(indentation(head)):
            shown[opener:] = [f"{head} ..."]
    return at
