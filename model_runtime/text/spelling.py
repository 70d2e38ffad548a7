"""How a language spells strings, comments and blocks; `syntax` knows which one how."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ESCAPE = r"\\."
_GUARD = r"((?:\(\?<?[=!](?:[^()\[]|\[[^\]]*\])*\)|\^)*)"
_ONE = r"\[(?:\\.|[^\]\\])+\]|\\[\Wn]|\w|[^\w\s\\()\[\].^$?*+{}|]"
#: Of a pattern what it asks for before its first character, what may stand there, what does.
_BEGINNING = re.compile(rf"{_GUARD}(?:({_ONE})\*)?({_ONE})(?![*?])")


@dataclass(frozen=True)
class Quote:
    """How a string or a comment is written.

    Args:
        opens: pattern; its first group, if any, is `{0}` in `closes`.
        closes: pattern.
        escapes: pattern of what closes nothing inside.
        spans_lines: whether it may go on behind a line end; if not, that ends it unfinished.
        hole: pattern of what opens code inside of it; empty for none.
        hole_closes: what closes that.
        is_comment: whether it is one.
    """

    opens: str
    closes: str
    escapes: str = ESCAPE
    spans_lines: bool = False
    hole: str = ""
    hole_closes: str = "}"
    is_comment: bool = False


@dataclass(frozen=True, eq=False)
class Syntax:
    """A language.

    Args:
        quotes: the first that fits counts.
        line_comments: patterns of what opens one.
        skips: pattern of what is passed over as a whole; empty for none.
        words: words that open a block, and those that close it.
        is_reserved: whether such a word is one anywhere, and not only where a command begins.
        fences: whether code fences are blocks.
        continues: pattern of what goes on with a statement, or closes its block, left of the block.
        heads: for words among these, what their statement must have begun with.
        indents_by: what blocks are indented by, where a file does not show it; empty for none.
        is_prose: whether lines may begin anywhere.
    """

    quotes: tuple[Quote, ...] = ()
    line_comments: tuple[str, ...] = ()
    skips: str = ""
    words: tuple[tuple[str, str], ...] = ()
    is_reserved: bool = False
    fences: bool = False
    continues: str = ""
    heads: tuple[tuple[str, frozenset[str]], ...] = ()
    indents_by: str = ""
    is_prose: bool = False

    @cached_property
    def all_quotes(self) -> tuple[tuple[re.Pattern[str], Quote], ...]:
        """Every quote with its opening, a line's comment among them."""
        comments = [
            Quote(opens, r"(?=\n)", "(?!)", spans_lines=True, is_comment=True)
            for opens in self.line_comments
        ]
        quotes = (*self.quotes, *comments)
        return tuple((re.compile(quote.opens, re.MULTILINE), quote) for quote in quotes)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What changes how a text is read from there on."""
        spelled = sorted({word for pair in self.words for word in pair}, key=len, reverse=True)
        kinds = {
            "skip": [self.skips] if self.skips else [],
            "fence": [r"^[ \t]*`{3,}[^`\n]*$", r"^[ \t]*~{3,}[^`\n]*$"] if self.fences else [],
            "quote": [_without_groups(opening.pattern) for opening, _ in self.all_quotes],
            "bracket": [r"[()\[\]{}]"],
            "line": [r"\n"],
            "word": [rf"(?<![\w.$-]){word}(?![\w-])" for word in spelled],
        }
        named = "|".join(f"(?P<{name}>{'|'.join(kind)})" for name, kind in kinds.items() if kind)
        # Nearly all places are passed over by their first character.
        begins = _begins([pattern for kind in kinds.values() for pattern in kind])
        return re.compile(rf"(?={begins})(?:{named})", re.MULTILINE | re.DOTALL)

    @cached_property
    def continuation(self) -> re.Pattern[str]:
        """What a line begins with that goes on with a statement."""
        words = f"|(?:{self.continues})" if self.continues else ""
        return re.compile(rf"[)\]}}]|</{words}")

    @cached_property
    def comment(self) -> re.Pattern[str]:
        """What a line begins with that is a comment."""
        opens = [quote.opens for _, quote in self.all_quotes if quote.is_comment]
        return re.compile("|".join(opens) or "(?!)", re.MULTILINE)


def _without_groups(pattern: str) -> str:
    """Return a pattern whose groups are not counted."""
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)


def _begins(patterns: Sequence[str]) -> str:
    """Return the pattern of the first characters of what matches one of some patterns."""
    firsts = defaultdict[str, set[str]](set)
    for pattern in patterns:
        found = _BEGINNING.match(pattern)
        # Where it is too much for us, anything may be the first.
        guard, *first = found.groups() if found else ("", "")
        firsts[guard] |= {one for one in first if one is not None}
    return "|".join(f"{guard}(?:{'|'.join(sorted(first))})" for guard, first in firsts.items())
