"""A developer at a simulated keyboard, who types lines of a file and is shown ghost text.

They type a line as it stands in the file. Before its first character, behind each word and each
run of marks, and at its end, they pause, and may be shown something. What is right to its end they
accept, with one key. What is not they pass over; or, if they are of that kind, they accept its
first words, as far as these are right, with one key each. While what they type agrees with what is
shown, that stays, and nothing new is asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from model_runtime.protocol import AFTER_A_MISS, HOPELESS, Stretch
from model_runtime.text.showing import has_word, sure_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from model_runtime.evaluation.base import EvalTask

#: What is typed between two pauses, and what accepting a word takes of a suggestion.
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
#: A word of fewer characters is typed.
MIN_WORD = 2


class Ghost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was made for one place, and what it cost."""

    text: str
    #: Characters and confidence of each stretch; none where that is not told.
    stretches: tuple[tuple[int, float], ...] = ()
    n_forwards: int = 0
    seconds: float = 0.0
    #: Of the processor, all threads together.
    processor_s: float = 0.0

    def shown(self, least: float) -> str:
        """Return what of it is shown to who wants to see what is at least so sure."""
        found = [Stretch(n_chars=n, confidence=c) for n, c in self.stretches]
        return sure_part(self.text, found, least).rstrip()

    def began(self) -> float:
        """Return how sure its beginning is; 0 where there is none."""
        return self.stretches[0][1] if self.stretches else 0.0

    def confidence(self, shown: str) -> float | None:
        """Return how sure the end of what is shown is; None where that is not told."""
        end = 0
        for n_chars, confidence in self.stretches:
            end += n_chars
            if end >= len(shown):
                return confidence
        return None


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line, or of several."""

    #: Characters of the line, and keys that were pressed for them.
    n_chars: int = 0
    n_keys: int = 0
    #: Pauses at which something was asked for, and suggestions that were shown, and right.
    n_asked: int = 0
    n_shown: int = 0
    n_right: int = 0
    #: Of the asked ones.
    n_forwards: int = 0
    seconds: float = 0.0
    processor_s: float = 0.0


def total(played: Iterable[Played]) -> Played:
    """Add up."""
    columns = zip(*map(msgspec.structs.astuple, played), strict=True)
    return Played(**dict(zip(Played.__struct_fields__, map(sum, columns), strict=False)))


#: Returns what is made for a line, so many characters of which stand there.
Make: TypeAlias = "Callable[[EvalTask, int], Ghost]"


def line_of(task: EvalTask) -> EvalTask | None:
    """Return the line that a gap stands in, to be typed; None where it is blank.

    What is typed is its reference, without indentation; that stands before it.
    """
    head, half = task.prefix.rpartition("\n")[::2]
    head = f"{head}\n" if "\n" in task.prefix else ""
    whole = half + task.reference + task.suffix
    text = whole.partition("\n")[0]
    indentation = text[: len(text) - len(text.lstrip())]
    if not text.strip():
        return None
    return msgspec.structs.replace(
        task,
        prefix=head + indentation,
        suffix=whole[len(text) :] or "\n",
        reference=text.strip(),
        single_line=True,
    )


def typed(line: EvalTask, at: int) -> EvalTask:
    """Return a line, or a gap in one, of which so many characters have been typed."""
    done, rest = line.reference[:at], line.reference[at:]
    return msgspec.structs.replace(line, prefix=line.prefix + done, reference=rest)


def gap_in(line: EvalTask, task: EvalTask) -> int:
    """Return how many characters of its line stand before a task's gap."""
    half = task.prefix.rpartition("\n")[2]
    whole = (half + task.reference + task.suffix).partition("\n")[0]
    n_indentation = len(whole) - len(whole.lstrip())
    return min(max(0, len(half) - n_indentation), len(line.reference))


def pauses(line: EvalTask) -> list[int]:
    """Return how many characters of a line stand there at each pause of who accepts nothing."""
    return [0, *(found.end() for found in _WORD.finditer(line.reference))]


def play(line: EvalTask, ask: Make, least: float = 0.0, *, takes_words: bool = False) -> Played:
    """Type a line.

    Args:
        line: what is typed.
        ask: see `Make`.
        least: see `Ghost.shown`; once a suggestion on the line was wrong, others have to be surer,
            and behind one that was hopeless nothing is asked for marks alone.
        takes_words: of what is wrong, the first words are accepted where they are right.
    """
    at = n_keys = n_shown = n_right = 0
    asked: list[Ghost] = []
    standing, now, is_hopeless = "", least, False
    while True:
        if not standing and not is_hopeless:
            ghost = ask(line, at)
            asked.append(ghost)
            standing = ghost.shown(now)
            is_hopeless = not standing and ghost.began() < HOPELESS * now
            if standing:
                rest = line.reference[at:]
                is_right = rest.startswith(standing)
                n_shown, n_right = n_shown + 1, n_right + is_right
                if least and not is_right:
                    now = least + AFTER_A_MISS
                n_accepted = len(standing) if is_right else 0
                if takes_words and not is_right:
                    n_accepted = n_right_words(standing, rest)
                if n_accepted >= MIN_WORD:
                    n_keys += 1 if is_right else n_words(standing[:n_accepted])
                    at, standing = at + n_accepted, standing[n_accepted:]
                    if is_right:
                        continue
        if at >= len(line.reference):
            break
        word = _WORD.match(line.reference, at)
        typed = word.group() if word else line.reference[at:]
        n_keys, at = n_keys + len(typed), at + len(typed)
        is_hopeless = is_hopeless and not has_word(typed)
        standing = standing[len(typed) :] if standing.startswith(typed) else ""
    return Played(
        n_chars=len(line.reference),
        n_keys=n_keys,
        n_asked=len(asked),
        n_shown=n_shown,
        n_right=n_right,
        n_forwards=sum(ghost.n_forwards for ghost in asked),
        seconds=sum(ghost.seconds for ghost in asked),
        processor_s=sum(ghost.processor_s for ghost in asked),
    )


def n_right_words(shown: str, wanted: str) -> int:
    """Return how many characters the first words of a text have that are right, as whole words."""
    at = 0
    for word in _WORD.finditer(shown):
        end = word.end()
        goes_on = wanted[end - 1 : end + 1]
        is_whole = not (len(goes_on) == 2 and all(c.isalnum() or c == "_" for c in goes_on))  # noqa: PLR2004
        if not (wanted.startswith(shown[:end]) and is_whole):
            break
        at = end
    return at


def n_words(text: str) -> int:
    """Return how many keys it takes to accept a text word by word."""
    return len(_WORD.findall(text))
