r"""Where a fill is known to end, whatever the model would say next.

A model that fills in the middle says where the middle ends, or goes on: it writes what stands
behind the span anyway, then the next function, then a word of explanation. Three things in a text
say that it is past its end:

- it says the very lines that the file goes on with;
- a line begins further left than the block that the span stands in;
- a code fence, where the file has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model_runtime.text.indentation import indentation

#: Letters and digits that lines behind a span must have for nobody to mistake them: of `}` and
#: `i += 1` a file has many. And those that the whole file behind it must have, where it is short.
MIN_SURE = 10
MIN_WHOLE = 4
_FENCE = r"\n[ \t]*```"
#: Blank lines and the line end before a line.
_LINE_ENDS = r"[ \t]*\n(?:[ \t]*\n)*"
#: Closes a block, or stands at the left whatever the block: a preprocessor's line, a string's end.
_CLOSERS = r"[)\]}]|end\b|#\w|\"\"\"|'''"
#: The last line of a text that opens a block ends so.
_OPENERS = ":", "{", "(", "["


@dataclass(frozen=True)
class Ending:
    """What ends a span.

    Args:
        pattern: the fill ends before the first match; None where only the model can say.
    """

    pattern: re.Pattern[str] | None = None

    def find(self, text: str) -> tuple[int, int] | None:
        """Return where a fill ends, and where in the text this shows; None where it does not."""
        found = self.pattern.search(text) if self.pattern else None
        return found.span() if found else None


ONE_LINE = Ending(re.compile(r"\n"))


def ending_at(*stops: str) -> Ending:
    """Return the ending before the first of some strings."""
    return Ending(re.compile("|".join(map(re.escape, stops))))


def ending_in(prefix: str, suffix: str) -> Ending:
    """Return the ending of a span of several lines between two parts of a file."""
    patterns = [_repetition(suffix), _dedent(_floor(prefix, suffix))]
    if "```" not in prefix and "```" not in suffix:
        patterns.append(_FENCE)
    found = "|".join(f"(?:{pattern})" for pattern in patterns if pattern)
    return Ending(re.compile(found) if found else None)


def _repetition(suffix: str) -> str:
    """Return the pattern of the first lines behind a span, however many blank lines part them."""
    rest, *lines = suffix.split("\n")
    pattern, n_sure = re.escape(rest.rstrip()), _n_sure(rest)
    for line in lines:
        if n_sure >= MIN_SURE:
            break
        if line.strip():
            pattern += _LINE_ENDS + re.escape(line.rstrip())
            n_sure += _n_sure(line)
    is_whole = "\n" in suffix and not suffix.rpartition("\n")[2]
    return pattern + r"[ \t]*\n" if n_sure >= (MIN_WHOLE if is_whole else MIN_SURE) else ""


def _n_sure(line: str) -> int:
    return sum(map(str.isalnum, line))


def _dedent(floor: int) -> str:
    """Return the pattern of a line that begins left of a column, with the line end before it."""
    if not floor:
        return ""
    return rf"{_LINE_ENDS}(?![ \t]{{{floor}}})[ \t]*(?!{_CLOSERS})\S(?:..|.?\n)"


def _floor(prefix: str, suffix: str) -> int:
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
