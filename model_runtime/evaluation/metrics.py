"""Measures of a fill against its reference, and of a run as a whole."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, TypeVar

import msgspec

from model_runtime.evaluation.base import EvalTask, Fill, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
K = TypeVar("K")

#: Standard deviations in a two-sided 95 % interval.
Z = 1.96


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share of tasks, with the 95 % interval that so many tasks allow."""

    value: float
    low: float
    high: float

    def points(self, n_digits: int = 1) -> str:
        """Show it and its interval, as numbers of a hundred."""
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.value:.{n_digits}f} ({low:.0f}-{high:.0f})"

    def percent(self) -> str:
        """Show it and its interval, with their signs."""
        return f"{self.value:.1%} ({self.low:.0%}-{self.high:.0%})"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in figures."""

    n_tasks: int
    #: None where no program was run.
    pass_at_1: Rate | None
    exact: Rate
    exact_first_line: Rate
    similarity: float
    similarity_first_line: float
    #: All forwards of the run over all tokens of the run.
    forwards_per_token: float
    n_tokens: int
    n_forwards: int
    seconds_mean: float
    seconds_median: float
    tokens_per_second: float


def judge(task: EvalTask, fill: Fill, verdict: Verdict | None) -> Outcome:
    """Compare a fill with its task's reference.

    Blanks at the end do not count, nor do lines after the first where one line was asked for.
    """
    text = fill.text.partition("\n")[0] if task.single_line else fill.text
    got, wanted = text.rstrip(), task.reference.rstrip()
    got_line, wanted_line = first_line(got), first_line(wanted)
    return Outcome(
        id=task.id,
        language=task.language,
        fill=fill,
        exact=got == wanted,
        exact_first_line=got_line == wanted_line,
        similarity=edit_similarity(got, wanted),
        similarity_first_line=edit_similarity(got_line, wanted_line),
        verdict=verdict,
    )


def first_line(text: str) -> str:
    """Return the first line that is not blank, without blanks at its end."""
    return next((line.rstrip() for line in text.split("\n") if line.strip()), "")


def edit_similarity(a: str, b: str) -> float:
    """Return 2 · LCS(a, b) / (|a| + |b|), from 0 to 1: the measure CodeXGLUE reports for lines.

    LCS is the length of the longest common subsequence, so this is one less the share of
    characters to insert or delete.
    """
    if not a and not b:
        return 1.0
    return 2 * _lcs_length(a, b) / (len(a) + len(b))


def _lcs_length(a: str, b: str) -> int:
    """Count the longest common subsequence, one bit a character of `a`.

    Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
    """
    places: dict[str, int] = {}
    for index, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << index
    everywhere = (1 << len(a)) - 1
    unmatched = everywhere
    for character in b:
        matched = unmatched & places.get(character, 0)
        unmatched = (unmatched + matched | unmatched - matched) & everywhere
    return len(a) - unmatched.bit_count()


def rate(n_hits: int, n: int) -> Rate:
    """Return a share with its Wilson interval (Wilson 1927)."""
    if n == 0:
        return Rate(value=0.0, low=0.0, high=1.0)
    share = n_hits / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2) / (1 + Z**2 / n)
    return Rate(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def share(hits: Iterable[bool]) -> Rate:
    """Return how many of some are hits; see `rate`."""
    found = list(hits)
    return rate(sum(found), len(found))


def grouped(ones: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return some by what a key says of each, in the order in which they come."""
    groups: dict[K, list[T]] = {}
    for one in ones:
        groups.setdefault(key(one), []).append(one)
    return groups


def summarize(outcomes: Sequence[Outcome]) -> Summary:
    """Sum a run up.

    Raises:
        ValueError: there is nothing to sum up.
    """
    if not outcomes:
        raise ValueError("no outcome to sum up")
    ran = [one.verdict == "pass" for one in outcomes if one.verdict is not None]
    fills = [outcome.fill for outcome in outcomes]
    n_tokens = sum(fill.n_tokens for fill in fills)
    n_forwards = sum(fill.n_forwards for fill in fills)
    seconds = [fill.seconds for fill in fills]
    return Summary(
        n_tasks=len(outcomes),
        pass_at_1=share(ran) if ran else None,
        exact=share(one.exact for one in outcomes),
        exact_first_line=share(one.exact_first_line for one in outcomes),
        similarity=statistics.fmean(one.similarity for one in outcomes),
        similarity_first_line=statistics.fmean(one.similarity_first_line for one in outcomes),
        forwards_per_token=n_forwards / max(1, n_tokens),
        n_tokens=n_tokens,
        n_forwards=n_forwards,
        seconds_mean=statistics.fmean(seconds),
        seconds_median=statistics.median(seconds),
        tokens_per_second=n_tokens / max(1e-9, sum(seconds)),
    )
