r"""Where a fill is known to end, whatever the model would say next.

A model that fills in the middle says where the middle ends, or goes on: it writes what stands
behind the span anyway, then the next function, then a word of explanation. These things in a text
say that it is past its end:

- it says the very lines that the file goes on with;
- a line begins further left than the block that the span stands in, and neither goes on with a
  statement of it nor is a comment;
- it has closed what the file closes behind it, and opened nothing instead;
- a code fence, where fences are no text;
- a line is indented by blanks that the file does not use there;
- it says the same for the third time.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from model_runtime.text.indentation import floor_of
from model_runtime.text.place import Place
from model_runtime.text.telling import LINE_ENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.text.place import Found, Rule
    from model_runtime.text.spelling import Syntax

#: What may stand at the left inside of a body: a string's own line, a preprocessor's.
_ANYWHERE = r"[\"'`]|#(?:if|el|endif|define|undef|include|pragma)"


class Ending:
    """What ends a span.

    Args:
        rules: the fill ends where the first one shows; empty where only the model can say.
        firm_in: returns up to where a text that is not over can't turn out to be past its end.
    """

    def __init__(self, rules: Sequence[Rule] = (), firm_in: Callable[[str], int] = len) -> None:
        self._rules, self._firm_in = tuple(rules), firm_in
        # At every step the same text is asked about several times.
        self._find = lru_cache(maxsize=2)(self._first)

    def find(self, text: str, *, is_whole: bool = False) -> Found:
        """Return where a fill ends, and where in the text this shows; None where it does not.

        Args:
            text: what was said.
            is_whole: whether no more will come.
        """
        return self._find(text, is_whole)

    def _first(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        found = [end for rule in self._rules if (end := rule(text, is_whole))]
        first = min if is_whole else _first_shown
        return first(found) if found else None

    def firm(self, text: str) -> str:
        """Return the beginning of a text that may be shown, though more of it may come."""
        return text[: self._firm_in(text)]


def _first_shown(found: list[tuple[int, int]]) -> tuple[int, int]:
    return min(found, key=lambda end: (end[1], end[0]))


def ending_at(*stops: str) -> Ending:
    """Return the ending before the first of some strings."""
    return Ending(tuple(map(_before, stops)))


def _before(stop: str) -> Rule:
    def find(text: str, _: bool) -> Found:  # noqa: FBT001
        at = text.find(stop)
        return (at, at + len(stop)) if at >= 0 else None

    return find


def ending_of_body(begun: str, fence: str) -> Ending:
    """Return the ending of a function's body in a code block.

    Args:
        begun: the function up to the body, from the start of its line.
        fence: what closes the code block.
    """
    outside = rf"{LINE_ENDS}(?![ \t]{{{floor_of(begun)}}})[ \t]*(?!{_ANYWHERE})\S"
    pattern = re.compile(rf"\n[ \t]*{re.escape(fence)}|{outside}")
    return Ending((lambda text, _: found.span() if (found := pattern.search(text)) else None,))


def line_ending(prefix: str, suffix: str, syntax: Syntax) -> Ending:
    """Return the ending of a span of one line.

    Line ends before it are passed over, or nothing would be said behind a line that opens a block;
    but not in a comment, which is gone on with or not, and not where the line has more behind.
    """
    rest = suffix.partition("\n")[0].strip()
    here = Place(prefix, suffix, syntax)
    is_strict = bool(rest) or here.closers.is_in_comment
    pattern = re.compile(r"\n" if is_strict else r"(?<=\S)[^\S\n]*(\n)")

    def at_line_end(text: str, _: bool) -> Found:  # noqa: FBT001
        found = pattern.search(text)
        return (found.end() - 1, found.end()) if found else None

    return Ending([at_line_end, *here.rules], here.firm)


def ending_in(
    prefix: str,
    suffix: str,
    syntax: Syntax,
    also: str = "",
    *stops: str,
    floor: int | None = None,
) -> Ending:
    """Return the ending of a span of several lines between two parts of a file.

    Args:
        prefix: the file up to it.
        suffix: the file behind it.
        syntax: the file's language's.
        also: what else may be said as often as it stands there: the text before an edit.
        stops: strings before which it ends, too.
        floor: the least column of its lines; None to tell it by the lines around.
    """
    here = Place(prefix, suffix, syntax, also, floor)
    return Ending((*here.rules, *map(_before, stops)), here.firm)
