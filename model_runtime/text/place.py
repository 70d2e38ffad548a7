"""The place of a span, and what shows that a text is past its end there; see `ending`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from model_runtime.text.closers import Closers, closers_at
from model_runtime.text.indentation import floor_between, indentation, own_blanks
from model_runtime.text.repetition import Repetition
from model_runtime.text.telling import LINE_ENDS, first_lines

if TYPE_CHECKING:
    from model_runtime.text.scan import Scan
    from model_runtime.text.spelling import Syntax

#: Where a fill ends, and where in its text this shows; None where it does not.
Found = tuple[int, int] | None
#: Takes a text, and whether no more will come.
Rule = Callable[[str, bool], Found]

#: Characters before a span and behind it that lines of a fill are compared with.
N_NEAR = 16_000
_FENCE = re.compile(r"(?:\n|\A)[ \t]*```")
_FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})", re.MULTILINE)
_LINE = re.compile(r"([ \t]*\n(?:[ \t]*\n)*)([ \t]*)(?=[^\s])")
#: Arrows are none.
_ANGLE = re.compile(r"[-=]>|[<>]")
_WORD = re.compile(r"\w+")
#: What may turn out to be a longer mark: of a string, a comment, a fence.
_PARTS_OF_MARKS = " \t\n\"'`*/-#=]}\\"
#: As much of a line as has to be there to say whether it goes on with a statement.
_TELLS = re.compile(r"\w+\W|\W{2}.")
_LAST_WORD = re.compile(r"\w*\Z")


class Place:
    """The place of a span, and what shows that a text is past its end there.

    Args:
        prefix: the file up to it.
        suffix: the file behind it.
        syntax: the file's language's.
        also: see `ending_in`.
        floor: see `ending_in`.
    """

    def __init__(
        self,
        prefix: str,
        suffix: str,
        syntax: Syntax,
        also: str = "",
        floor: int | None = None,
    ) -> None:
        self._syntax = syntax
        self.closers: Closers = closers_at(prefix, suffix, syntax)
        self._n_fences = _n_fences(prefix) % 2 + _n_fences(suffix) % 2 if syntax.fences else 0
        prefix, suffix = prefix[-N_NEAR:], suffix[:N_NEAR]
        self._prefix, self._suffix = prefix, suffix
        self._repetition = Repetition(prefix, f"{suffix}\n{also}")
        self._also = also
        last = prefix.rpartition("\n")[2]
        #: Put before a text that begins its line.
        self._lead = f"\n{last}" if not last.strip() else ""
        self._repeated = first_lines(suffix)
        self._floor = floor_between(prefix, suffix) if floor is None else floor
        self._is_body = floor is not None
        self._blanks = own_blanks(prefix, suffix, syntax.indents_by)
        # Scanned for the rules and for what is firm, not for each of them.
        self._scan = lru_cache(maxsize=2)(self.closers.scan)

    @property
    def rules(self) -> list[Rule]:
        """What ends a text of several lines here."""
        rules: list[Rule] = [self.goes_on, self.closes, self.closes_angle, self.repeats]
        if not self._syntax.is_prose:
            rules += [self.leaves, self.fences, self.indents]
        # What the text before an edit does, its successor may do.
        return [rule for rule in rules if not self._also or rule(self._also, True) is None]  # noqa: FBT003

    def goes_on(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        """Find the lines that the file goes on with."""
        if self._repeated is None:
            return None
        found = self._repeated.search(f"{self._lead}{text}\n" if is_whole else self._lead + text)
        if found is None:
            return None
        start, end = (max(0, at - len(self._lead)) for at in found.span())
        return start, min(end, len(text))

    def closes(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        """Find what closes something that the file closes, with nothing opened instead."""
        scanned = self._scan(text, is_whole=is_whole)
        at = self.closers.first_taken(scanned)
        if at is None:
            return None
        if is_whole:
            if self.closers.fits(scanned):
                return None
            return self._without_blanks(text, self._last_fit(text, scanned, at)), len(text)
        # Another block may be opened behind it, by a word on the next line at the latest.
        line_end = text.find("\n", at)
        following = re.compile(r"\s*(\S\w*)(?=\W)").match(text, line_end) if line_end > 0 else None
        if following is None or self._syntax.continuation.match(following.group(1)):
            return None
        seen = text[: following.end(1)]
        scanned = self.closers.scan(seen, is_whole=False)
        if self.closers.fits(scanned):
            return None
        end = self._last_fit(seen, scanned, at)
        return self._without_blanks(text, end), min(len(text), following.end() + 1)

    def _last_fit(self, text: str, scanned: Scan, at: int) -> int:
        """Return where the file's own closers last fit behind a text that closes one at `at`."""
        for place in reversed(scanned.places):
            if place <= at:
                break
            if self.closers.fits(self.closers.scan(text[:place], is_whole=True)):
                return place
        return at

    def _without_blanks(self, text: str, end: int) -> int:
        """Return where a text ends that is cut at a place, without blanks that the file has."""
        blanks = self._suffix[: len(self._suffix) - len(self._suffix.lstrip())]
        return len(text[:end].rstrip()) if "\n" in blanks else end

    def closes_angle(self, text: str, _: bool) -> Found:  # noqa: FBT001
        """Find the `>` of a `<` that the cursor stands behind and the file closes at once."""
        if not (self._prefix.endswith("<") and self._suffix.startswith(">")):
            return None
        n_open = 0
        for found in _ANGLE.finditer(text):
            n_open += {"<": 1, ">": -1}.get(found.group(), 0)
            if n_open < 0:
                return found.span()
        return None

    def repeats(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        """Find what is said for the third time."""
        return self._repetition.find(text, is_whole=is_whole)

    def leaves(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        """Find a line that is none of the block's."""
        scanned = self._scan(text, is_whole=is_whole) if self._floor else None
        pending: int | None = None
        for found in _LINE.finditer(text) if scanned else ():
            at = found.end()
            if len(found.group(2)) >= self._floor or scanned is None:
                pending = None
                continue
            if scanned.own_at(at - 1) or scanned.is_text(at - 1):
                continue
            line, line_end, _ = text[at:].partition("\n")
            tells = _TELLS.match(line)
            if not is_whole and not line_end and not tells:
                return None
            start = found.start() if pending is None else pending
            if self._syntax.comment.match(text, at):
                pending = start
            elif self._goes_on_with(text, at, found.group(2)):
                pending = None
            else:
                n_told = max(3, tells.end()) if tells else len(line) + 1
                return start, min(len(text), at + n_told)
        return None

    def fences(self, text: str, _: bool) -> Found:  # noqa: FBT001
        """Find a code fence in code."""
        found = _FENCE.search(text) if "```" in text else None
        if found is None or (found.start() == 0 and text[:1] != "\n" and not self._lead):
            return None
        scanned = self.closers.scan(text[: found.start() + 1], is_whole=True)
        inside = scanned.opened and scanned.opened[-1].quote
        return None if inside and inside.spans_lines else found.span()

    def indents(self, text: str, is_whole: bool) -> Found:  # noqa: FBT001
        """Find a line with blanks that the file does not indent by."""
        if not self._blanks:
            return None
        foreign = r"\t" if self._blanks == " " else r"  "
        pattern = re.compile(rf"({LINE_ENDS})[ \t]*{foreign}[ \t]*(?=\S)")
        lead = "\n" if self._lead == "\n" else ""
        scanned: Scan | None = None
        for found in pattern.finditer(lead + text):
            begins = (lead + text)[found.end(1) :]
            if self._blanks == "\t" and not begins.startswith("  "):
                continue
            if scanned is None:
                scanned = self._scan(text, is_whole=is_whole)
            at = found.end() - len(lead)
            if not scanned.is_text(at - 1):
                return max(0, found.start() - len(lead)), min(len(text), at + 1)
        return None

    def firm(self, text: str) -> int:
        """Return up to where a text can't turn out to be past its end, nor to be left out."""
        end = len(text.rstrip(_PARTS_OF_MARKS))
        begun = _LAST_WORD.search(text[:end])
        if begun and any(closes.startswith(begun.group()) for _, closes in self._syntax.words):
            end = begun.start()
        scanned = self._scan(text, is_whole=True)
        if (at := self.closers.first_taken(scanned)) is not None:
            end = min(end, self._without_blanks(text, at))
        end = min(end, self._begun_lines(text))
        end = min(end, self._repetition.firm(text))
        if self._syntax.fences:
            end = min(end, self.up_to_open_fence(text))
        # The first line may be the one above, or stand before the cursor; the last the one behind.
        start = text.rfind("\n") + 1
        if start:
            line = text[start:]
            is_behind = any(one.startswith(line) for one in self._behind)
            if is_behind or len(indentation(line)) < self._floor:
                end = min(end, len(text[:start].rstrip()))
        end = len(text[: self._unlike_suffix(text, end)].rstrip())
        kept = text[:end].strip()
        return 0 if "\n" not in kept and self._may_be_nothing(kept) else end

    def up_to_open_fence(self, text: str) -> int:
        """Return where a text opens a block of code that neither it nor the file closes."""
        fences = list(_FENCE_LINE.finditer(text))
        if not fences or (len(fences) + self._n_fences) % 2 == 0:
            return len(text)
        return fences[-1].start()

    def _begun_lines(self, text: str) -> int:
        """Return where the last lines of a text may turn out to be those that the file has next."""
        lines = text.split("\n")
        said = [index for index, line in enumerate(lines) if index and line.strip()]
        for index in said:
            run = [lines[one].rstrip() for one in said if one >= index]
            ahead = [line.rstrip() for line in self._behind[: len(run)]]
            if run[:-1] == ahead[:-1] and ahead[-1:] and ahead[-1].startswith(run[-1]):
                return len("\n".join(lines[:index]).rstrip())
        return len(text)

    def _unlike_suffix(self, text: str, end: int) -> int:
        ahead = self._suffix.lstrip()
        if _WORD.match(self._suffix):
            # The rest of a word: what the whole is shows when the fill is over.
            end = 0 if _WORD.match(self._prefix[-1:]) else len(_LAST_WORD.sub("", text[:end]))
        for at in range(max(0, end - len(ahead)), end):
            if ahead.startswith(text[at:end]):
                return len(text[:at].rstrip())
        return end

    def _may_be_nothing(self, text: str) -> bool:
        here = (self._prefix.rpartition("\n")[2] + text).strip()
        line = self._prefix.rpartition("\n")[2].rstrip()
        lines = (*self._above, *self._behind)
        return any(one.strip().startswith(here) for one in lines) or text.strip() in line

    @cached_property
    def _above(self) -> list[str]:
        return self._prefix.split("\n")[-40:-1]

    @cached_property
    def _behind(self) -> list[str]:
        return [line for line in self._suffix.split("\n") if line.strip()]

    def _goes_on_with(self, text: str, at: int, blanks: str) -> bool:
        """Say whether a line goes on with a statement that stands at its column."""
        if not self._syntax.continuation.match(text, at):
            return False
        if self._is_body and text[at].isalpha():
            # `public` begins a method there, and no word a line of this one.
            return False
        heads = dict(self._syntax.heads).get(_word(text[at:]))
        if heads is None:
            return True
        lines = (self._prefix[-4000:] + text[:at].rpartition("\n")[0]).split("\n")
        for line in reversed(lines):
            if line.strip() and len(indentation(line)) <= len(blanks):
                return indentation(line) == blanks and _word(line.lstrip()) in heads
        # Cut off before it.
        return len(self._prefix) > 0 and bool(blanks)


def _n_fences(text: str) -> int:
    return sum(1 for _ in _FENCE_LINE.finditer(text))


def _word(line: str) -> str:
    found = _WORD.match(line)
    return found.group() if found else ""
