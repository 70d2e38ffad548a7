"""Files with several holes, made of HumanEvalPack's functions: bodies, expressions, arguments.

Half of a language's tasks have the bodies of two functions taken out, which stand in one file; the
others two to four expressions and arguments of one function. The same seed makes the same tasks.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.execution import verdict_of
from model_runtime.protocol import Enclosing, MaskSpan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model_runtime.evaluation.base import Verdict
    from model_runtime.evaluation.pack import Function

MARKER = "___"
MIN_HOLES, MAX_HOLES = 2, 4
#: What is returned or assigned; what a call is given. A hole holds no line end.
_EXPRESSION = re.compile(r"(?:\breturn |[\w\]] [+*/-]?= )([^;\n=]{3,60}?)(?=;?$)", re.MULTILINE)
_ARGUMENTS = re.compile(r"\w\(([^()\n]{1,40})\)")


class Hole(msgspec.Struct, frozen=True):
    """A stretch of a file that is taken out."""

    start: int
    end: int
    #: Where the function around it begins and ends.
    function: tuple[int, int]
    is_body: bool = False


class HoleTask(msgspec.Struct, frozen=True, kw_only=True):
    """A file, and what is taken out of it."""

    id: str
    language: str
    kind: str
    text: str
    holes: tuple[Hole, ...]
    test: str

    @property
    def is_sound(self) -> bool:
        """Whether the file as it was passes: two functions may get into each other's way."""
        return verdict_of(self.text, self.test, self.language) == "pass"

    def spans(self, chosen: Sequence[int]) -> tuple[str, tuple[MaskSpan, ...], str]:
        """Return the file around some of the holes, which are marked; the others are as they were.

        Returns:
            the text before the first, a span for each, and the text behind the last.
        """
        holes = [self.holes[index] for index in chosen]
        ends = [*(hole.start for hole in holes[1:]), holes[-1].end]

        def n_written(start: int, end: int) -> int:
            # The markers that stand between are counted as they are written.
            within = [hole for hole in holes if start <= hole.start < end]
            return end - start - sum(hole.end - hole.start - len(MARKER) for hole in within)

        spans = [
            MaskSpan(
                text=MARKER,
                following=self.text[hole.end : end],
                single_line=not hole.is_body,
                enclosing=Enclosing(
                    n_before=n_written(hole.function[0], hole.start),
                    n_behind=n_written(hole.end, hole.function[1]),
                    is_body=hole.is_body,
                ),
            )
            for hole, end in zip(holes, ends, strict=True)
        ]
        return self.text[: holes[0].start], tuple(spans), self.text[holes[-1].end :]

    def run(self, chosen: Sequence[int], texts: Sequence[str]) -> Verdict:
        """Say what the tests make of the file with some holes filled."""
        before, spans, behind = self.spans(chosen)
        middle = "".join(text + span.following for text, span in zip(texts, spans, strict=True))
        return verdict_of(before + middle + behind, self.test, self.language)


def make_holes(functions: Sequence[Function], n_tasks: int, seed: int = 0) -> list[HoleTask]:
    """Make tasks, spread evenly over the functions of one language."""
    rng = random.Random(f"{seed}/holes")  # noqa: S311  not for secrets
    shuffled = list(functions)
    rng.shuffle(shuffled)
    n_files = n_tasks // 2
    pairs = zip(shuffled[: 2 * n_files : 2], shuffled[1 : 2 * n_files : 2], strict=True)
    tasks = [_bodies(*pair) for pair in pairs]
    rest = (_parts(function, rng) for function in shuffled[2 * n_files :])
    return [*tasks, *[task for task in rest if task][: n_tasks - n_files]]


def _bodies(first: Function, second: Function) -> HoleTask:
    """Take the bodies of two functions out of one file."""
    texts = [one.prefix + one.body + one.suffix.rstrip() + "\n\n\n" for one in (first, second)]
    holes = []
    for shift, one in zip((0, len(texts[0])), (first, second), strict=True):
        start = shift + len(one.prefix)
        end = start + len(one.body)
        function = shift + one.head_at, end + len(one.suffix.rstrip())
        holes.append(Hole(start, end, function, is_body=True))
    return HoleTask(
        id=f"{first.id}+{second.id}",
        language=first.language,
        kind="bodies",
        text="".join(texts),
        holes=tuple(holes),
        test=f"{first.test}\n{second.test}",
    )


def _parts(function: Function, rng: random.Random) -> HoleTask | None:
    """Take parts of lines out of a function; None where it has too few."""
    shift = len(function.prefix)
    text = function.prefix + function.body + function.suffix
    where = function.head_at, shift + len(function.body) + len(function.suffix.rstrip())
    found = [*_apart(function.body, rng)][:MAX_HOLES]
    if len(found) < MIN_HOLES:
        return None
    chosen = sorted(found[: rng.randint(MIN_HOLES, len(found))])
    return HoleTask(
        id=function.id,
        language=function.language,
        kind="expressions and arguments",
        text=text,
        holes=tuple(Hole(shift + start, shift + end, where) for start, end in chosen),
        test=function.test,
    )


def _apart(body: str, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Yield places for holes, in any order, none inside or beside another."""
    places = [
        found.span(1) for pattern in (_EXPRESSION, _ARGUMENTS) for found in pattern.finditer(body)
    ]
    rng.shuffle(places)
    taken = list[tuple[int, int]]()
    for start, end in places:
        if all(end < a or b < start for a, b in taken):
            taken.append((start, end))
            yield start, end
