"""Infill tasks cut out of documents: what is before, what is missing, what is after.

Everything here is a pure function of its arguments and of the `random.Random` it is given, and the
n-th task of a run depends on the seed and n alone; so a run resumed at step n sees what it would
have seen.

The kinds follow what an editor asks for, and what the infilling benchmarks ask:

    line         a whole line, indentation and line end included
    statement    a whole line from its indentation on, without its line end
    lines        several whole lines
    rest         from inside a line to the line's end
    inside       a stretch inside a line
    block_end    from a line to the end of its block (where the indentation falls back)
    random       from any character to any other
"""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from model_runtime.training.data import Document

Kind = Literal["line", "statement", "lines", "rest", "inside", "block_end", "random"]

#: How often each kind is drawn.
KIND_SHARES: Mapping[Kind, float] = {
    "line": 0.25,
    "statement": 0.15,
    "lines": 0.15,
    "rest": 0.15,
    "inside": 0.05,
    "block_end": 0.10,
    "random": 0.15,
}
#: How often each language is drawn; languages that a corpus lacks leave their share to the others.
LANGUAGE_SHARES: Mapping[str, float] = {
    "python": 0.60,
    "javascript": 0.08,
    "typescript": 0.07,
    "go": 0.06,
    "rust": 0.06,
    "java": 0.04,
    "c": 0.03,
    "cpp": 0.03,
    "lua": 0.03,
}
MAX_LINES = 8
#: How often the window is one top-level item of the file, as a small file would show it.
ITEM_SHARE = 0.4
#: The least share of the limits that a window takes.
MIN_WINDOW = 0.3
_MAX_TRIES = 64
_ITEM_START = re.compile(r"(?<=\n\n)(?=[^\s)\]}])")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most characters of each part; three to four make a token of source code."""

    prefix: int = 800
    middle: int = 240
    suffix: int = 400


class InfillTask(msgspec.Struct, frozen=True, kw_only=True):
    """One gap in one document: `prefix + middle + suffix` is a stretch of the document."""

    language: str
    path: str
    kind: Kind
    prefix: str
    middle: str
    suffix: str


class Corpus:
    """Documents to draw from: first a language by its share, then a document by its length."""

    def __init__(
        self, documents: Iterable[Document], shares: Mapping[str, float] = LANGUAGE_SHARES
    ) -> None:
        by_language: dict[str, list[Document]] = {language: [] for language in shares}
        for document in documents:
            if document.language in by_language:
                by_language[document.language].append(document)
        self._by_language = {name: found for name, found in by_language.items() if found}
        if not self._by_language:
            raise ValueError(f"no document in any of the languages {', '.join(shares)}")
        self._languages = list(self._by_language)
        self._shares = [shares[name] for name in self._languages]
        self._lengths = {
            name: list(itertools.accumulate(len(document.text) for document in found))
            for name, found in self._by_language.items()
        }

    def pick(self, rng: random.Random) -> Document:
        """Draw one document."""
        language = rng.choices(self._languages, self._shares)[0]
        lengths = self._lengths[language]
        return rng.choices(self._by_language[language], cum_weights=lengths)[0]

    def task(self, seed: int, index: int, limits: Limits | None = None) -> InfillTask:
        """Return the `index`-th task of the run with this seed.

        Raises:
            ValueError: no document of the corpus has room for a task.
        """
        rng = random.Random(f"{seed}/{index}")  # noqa: S311  not for secrets
        for _ in range(_MAX_TRIES):
            task = sample_task(self.pick(rng), rng, limits or Limits())
            if task is not None:
                return task
        raise ValueError("the corpus has no document with room for a task")


def sample_task(
    document: Document,
    rng: random.Random,
    limits: Limits,
    shares: Mapping[Kind, float] = KIND_SHARES,
) -> InfillTask | None:
    """Cut one task out of a document; None where the cut came out blank or too long."""
    kind = rng.choices(list(shares), list(shares.values()))[0]
    cut = _CUTS[kind](document.text, rng, limits.middle)
    if cut is None:
        return None
    start, end = cut
    middle = document.text[start:end]
    if not middle.strip() or len(middle) > limits.middle:
        return None
    first, last = _window(document.text, start, end, rng, limits)
    return InfillTask(
        language=document.language,
        path=document.path,
        kind=kind,
        prefix=document.text[first:start],
        middle=middle,
        suffix=document.text[end:last],
    )


Cut = tuple[int, int]


def _window(text: str, start: int, end: int, rng: random.Random, limits: Limits) -> Cut:
    """Say what stretch of the text the task shows: whole lines, a random share of the limits.

    With `ITEM_SHARE`, only the top-level item around the cut.
    """
    share = rng.uniform(MIN_WINDOW, 1)
    first = max(0, start - int(share * limits.prefix))
    last = min(len(text), end + int(share * limits.suffix))
    if first > 0:
        line_start = text.find("\n", first, start) + 1
        first = line_start or first
    if last < len(text):
        line_end = text.rfind("\n", end, last) + 1
        last = line_end or last
    if rng.random() < ITEM_SHARE:
        for item in _ITEM_START.finditer(text, first, last):
            if item.start() <= start:
                first = item.start()
            elif item.start() >= end:
                last = item.start()
                break
    return first, last


def _a_line(text: str, rng: random.Random) -> Cut | None:
    """Pick a line that is not blank: by a random character, so that long lines come up more."""
    at = rng.randrange(len(text)) if text else 0
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at) + 1 or len(text)
    return (start, end) if text[start:end].strip() else None


def _body(text: str, line: Cut) -> Cut:
    """Narrow a line to what stands between its indentation and its line end."""
    start, end = line
    content = text[start:end]
    return start + len(content) - len(content.lstrip()), start + len(content.rstrip())


def _cut_line(text: str, rng: random.Random, _limit: int) -> Cut | None:
    return _a_line(text, rng)


def _cut_statement(text: str, rng: random.Random, _limit: int) -> Cut | None:
    line = _a_line(text, rng)
    return line and _body(text, line)


def _cut_lines(text: str, rng: random.Random, limit: int) -> Cut | None:
    line = _a_line(text, rng)
    if line is None:
        return None
    start, end = line
    for _ in range(rng.randint(1, MAX_LINES - 1)):
        following = text.find("\n", end) + 1 or len(text)
        if following - start > limit:
            break
        end = following
    return start, end


def _cut_rest(text: str, rng: random.Random, _limit: int) -> Cut | None:
    line = _a_line(text, rng)
    if line is None:
        return None
    start, end = _body(text, line)
    return rng.randrange(start, end), end


def _cut_inside(text: str, rng: random.Random, _limit: int) -> Cut | None:
    line = _a_line(text, rng)
    if line is None:
        return None
    start, end = _body(text, line)
    left, right = sorted((rng.randint(start, end), rng.randint(start, end)))
    return left, right


def _cut_block_end(text: str, rng: random.Random, limit: int) -> Cut | None:
    """Cut from a line to the last in a row that is indented as much; blank lines may be inside."""
    line = _a_line(text, rng)
    if line is None:
        return None
    start, end = line
    indent = _body(text, line)[0] - start
    if indent == 0:
        return None
    at = end
    while at < len(text) and at - start <= limit:
        following = text.find("\n", at) + 1 or len(text)
        content_start, content_end = _body(text, (at, following))
        if content_start < content_end:
            if content_start - at < indent:
                break
            end = following
        at = following
    return start, end


def _cut_random(text: str, rng: random.Random, limit: int) -> Cut | None:
    if not text:
        return None
    start = rng.randrange(len(text))
    return start, min(len(text), start + rng.randint(1, limit))


_CUTS: Mapping[Kind, Callable[[str, random.Random, int], Cut | None]] = {
    "line": _cut_line,
    "statement": _cut_statement,
    "lines": _cut_lines,
    "rest": _cut_rest,
    "inside": _cut_inside,
    "block_end": _cut_block_end,
    "random": _cut_random,
}
