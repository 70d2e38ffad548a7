"""What of a fill is new: it does not say again what stands around it.

A fill that was read is compared with the file in front of the cursor and behind it, and cut where
it begins to say what is there already: the closer of a bracket, a quote, the rest of a word, of the
line, the next lines. Where nothing is left that the file does not have, nothing is suggested. What
remains is always a beginning of what was read, so whatever is known of its tokens holds on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model_runtime.text.ending import Ending, line_ending
from model_runtime.text.place import Place
from model_runtime.text.syntax import syntax_of
from model_runtime.text.telling import is_telling
from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.protocol import InfillRequest
    from model_runtime.text.spelling import Syntax

#: Letters and digits that the beginning of a line's rest must have to be no chance.
MIN_TAIL = 4
#: Letters that what was just typed must have to be the same again.
MIN_TYPED = 3
_WORD = re.compile(r"\w+")
#: What a name is made of.
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_CLOSERS_OR_QUOTES = frozenset(")]}\"'`")


def reconciled(text: str, prefix: str, suffix: str, syntax: Syntax, also: str = "") -> str:
    """Return the beginning of a fill that the file does not have already; empty where it has all.

    Args:
        text: the fill.
        prefix: the file up to it.
        suffix: the file behind it.
        syntax: the file's language's.
        also: the text before an edit; what it says of the file around it may be said again.
    """
    place = Place(prefix, suffix, syntax, also)

    def up_to(cut: Callable[[str, str, str], int], said: str) -> int:
        # What the text before an edit is not free of, its successor need not be.
        is_free = cut(also, prefix, suffix) == len(also)
        return cut(said, prefix, suffix) if is_free else len(said)

    found = Ending(place.rules).find(text, is_whole=True)
    # All are asked of the whole fill: what one leaves says nothing of what was said.
    end = min(up_to(_up_to_rest, text), up_to(_up_to_next_lines, text))
    kept = text[: min(found[0] if found else end, end)]
    kept = kept[: up_to(_up_to_next_lines, kept)]
    if syntax.fences and place.up_to_open_fence(also) == len(also):
        kept = kept[: place.up_to_open_fence(kept)]
    if not kept.strip() or says_nothing(kept, prefix, suffix):
        return ""
    return _without_blanks(kept, suffix) if kept != text else kept


def as_suggested(request: InfillRequest, texts: Sequence[str]) -> tuple[str, ...]:
    """Return the fills of a request's spans, each as far as it is new among the others.

    Args:
        request: what was asked for.
        texts: of its spans, by an engine that knows nothing of where they end.
    """
    found = list(texts)
    following = [span.following for span in request.spans]
    following[-1] += request.suffix
    syntax = syntax_of(request.language, request.path, request.prefix + request.suffix)
    for index, span in enumerate(request.spans):
        before = request.prefix + "".join(map(str.__add__, found[:index], following))
        behind = following[index] + "".join(
            map(str.__add__, found[index + 1 :], following[index + 1 :])
        )
        if span.single_line and (end := line_ending(before, behind, syntax).find(found[index])):
            found[index] = found[index][: end[0]]
        found[index] = reconciled(found[index], before, behind, syntax, span.text)
    return tuple(found)


def says_nothing(text: str, prefix: str, suffix: str = "") -> bool:
    """Say whether a suggestion is blank, or only what stands beside it.

    Args:
        text: the suggestion.
        prefix: the file up to it.
        suffix: the file behind it.
    """
    said = text.strip()
    *above, here = prefix.split("\n")
    line = here + text.rstrip()
    earlier = [one.rstrip() for one in above if one.strip()][-2:]
    if not said:
        return True
    # Where the file has a line twice, it may have it three times.
    if "\n" not in said and line.strip() and earlier[-1:] == [line] and earlier[:-1] != [line]:
        return True
    typed = here.rstrip()
    n_letters = sum(map(str.isalpha, said))
    if n_letters >= MIN_TYPED and typed.endswith(said):
        before = typed[: len(typed) - len(said)]
        if not (before[-1:].isalnum() and said[:1].isalnum()):
            return True
    return _is_half_of_another_word(here, text, suffix)


def _is_half_of_another_word(here: str, text: str, suffix: str) -> bool:
    """Say whether a fill inside of a word makes one with its rest that is none."""
    rest = _WORD.match(suffix)
    if rest is None or not here[-1:].isalnum() or not text[-1:].isalnum():
        return False
    joined = (here + text)[-64:] + rest.group()
    at = len(joined) - len(rest.group())
    part = next((one.group() for one in _PART.finditer(joined) if one.start() < at < one.end()), "")
    whole = re.search(r"\w*\Z", here)
    known = _PART.findall((whole.group() if whole else "") + rest.group())
    return bool(part) and part.lower() not in map(str.lower, known)


def _up_to_rest(text: str, prefix: str, suffix: str) -> int:
    """Return where a fill begins to say the rest of its line."""
    rest = suffix.partition("\n")[0].strip()
    said, ahead = text.rstrip(), suffix.lstrip()
    if not rest or not said:
        return len(text)
    word, in_word = _WORD.match(rest), prefix[-1:].isalnum() and suffix[:1].isalnum()
    first = _WORD.match(said)
    if word and in_word and first and first.group() == word.group():
        return 0
    for at in range(len(said)):
        tail = said[at:]
        if tail[0].isspace() or not ahead.startswith(tail):
            continue
        if not any(map(str.isalnum, tail)):
            # Closers and quotes are counted, see `closers`.
            if tail == rest or not (_CLOSERS_OR_QUOTES & set(tail)):
                return len(text) if tail[0] in _CLOSERS_OR_QUOTES else at
            continue
        is_rest = tail.startswith(rest)
        is_word = (
            word is not None and tail.startswith(word.group()) and suffix[0] == word.group()[0]
        )
        in_middle = at > 0 and tail[0].isalnum() and said[at - 1].isalnum()
        if in_middle and not is_rest and not (in_word and is_word):
            continue
        n_telling = _n_letters(tail) if tail[0].isalnum() else len(tail)
        if is_rest or is_word or n_telling >= MIN_TAIL:
            return at
    return len(text)


def _up_to_next_lines(text: str, prefix: str, suffix: str) -> int:
    """Return where the rest of a fill is nothing but the lines that the file goes on with."""
    if suffix.partition("\n")[0].strip():
        return len(text)
    behind = [line.rstrip() for line in suffix.split("\n")[1:] if line.strip()]
    here = prefix.rpartition("\n")[2]
    if not suffix.startswith("\n") and not here:
        behind = [line.rstrip() for line in suffix.split("\n") if line.strip()]
    at, starts = 0, list[tuple[int, str]]()
    for index, line in enumerate(text.split("\n")):
        starts.append((at, (here if index == 0 else "") + line.rstrip()))
        at += len(line) + 1
    lines = [(at, line) for at, line in starts if line.strip()]
    for index, (at, _) in enumerate(lines):
        rest = [line for _, line in lines[index:]]
        if rest == behind[: len(rest)] and any(map(str.isalnum, "".join(rest))):
            return at
        if index and len(rest) == 1 and is_telling(rest[0]) and rest[0] == (behind or [""])[0]:
            return at
    return len(text)


def _without_blanks(text: str, suffix: str) -> str:
    """Return a text that was cut without the blanks at its end that stand behind it already."""
    blanks = suffix[: len(suffix) - len(suffix.lstrip())]
    if "\n" in blanks:
        return text.rstrip()
    return text[: len(text) - n_shared(text[::-1], blanks[::-1])]


def _n_letters(text: str) -> int:
    return sum(map(str.isalnum, text))
