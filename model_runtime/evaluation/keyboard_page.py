"""The page that tells what ghost text is worth to somebody who types."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.metrics import grouped, rate
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import described
from model_runtime.evaluation.typist import Played, play, total
from model_runtime.protocol import LEAST_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.typist import Ghost, Make

    #: A line, and what became of it where whole suggestions are accepted, and where words are, too.
    Typed = tuple[EvalTask, Played, Played]

OURS = "remask"
BARE = "the base, bare"
STOPPED = "remask, stopped"
EVERYTHING = "everything"
BALANCED = LEAST_CONFIDENCE["balanced"]
#: From which confidence on a suggestion is shown, by name.
_LEVELS = ((EVERYTHING, 0.0), *LEAST_CONFIDENCE.items())

CURVE_NAME = "keyboard.svg"
RELIABILITY_NAME = "keyboard-reliability.svg"
_N_RESAMPLES = 1000
_N_FIFTHS = 5

_HEAD = """# Ghost text, at a simulated keyboard

Made by `remask eval keyboard --out FOLDER`; do not edit. {date}, {machine}.

{n_lines} held-out lines in {n_languages} languages, of packages that nothing was trained,
calibrated or tuned on, are typed as they stand in their files. Before the first character of a
line, behind each word and each run of marks, and at the line's end, the developer pauses and may be
shown ghost text. What is right to its end is accepted with one key; against the rest they type on.
A suggestion stays while what is typed agrees with it, and nothing is asked for meanwhile. *Words*:
the same, by one who also accepts the first words of a wrong suggestion, one key each, where these
are right.

*Eagerness* is the setting `inline.eagerness`: a suggestion ends where it gets less likely to be
right than {levels}; *everything* shows all there is, always. In brackets: 95 % interval, over
lines.
"""

_COST = """
## What it costs

Requests that say from which confidence on they want a text are not denoised behind that.

"""
_REQUESTS = """
## One request a line

The gap of each task, asked for once: whether anything is shown, and whether all of it is right.

"""
_FIFTHS = """
## Said and true

Balanced suggestions, at all places of these lines where anybody paused, in fifths by the
confidence of their end.

"""


@dataclass
class Measured:
    """What a run found."""

    machine: dict[str, str]
    lines: tuple[EvalTask, ...]
    #: A line, the place of its task's own gap, and what was made there.
    requests: list[tuple[EvalTask, int, Ghost]] = field(default_factory=list)
    #: The same of all places where ghost text was made in full.
    places: list[tuple[EvalTask, int, Ghost]] = field(default_factory=list)
    #: By who made it and from which confidence on it was shown: each line, twice; see `play`.
    played: dict[tuple[str, float], list[Typed]] = field(default_factory=lambda: defaultdict(list))
    missing: list[str] = field(default_factory=list)

    def play(self, name: str, line: EvalTask, ask: Make, levels: Iterable[float]) -> None:
        """Have a line typed with what `ask` makes, shown from each of some confidences on."""
        for level in sorted(levels):
            pair = play(line, ask, level), play(line, ask, level, takes_words=True)
            self.played[name, level].append((line, *pair))

    def fifths(self) -> list[tuple[float, float, int]]:
        """Return confidence, share right and number of each fifth of the balanced suggestions."""
        found = [
            (sure, line.reference[at:].startswith(shown))
            for line, at, ghost in self.places
            if (shown := ghost.shown(BALANCED)) and (sure := ghost.confidence(shown)) is not None
        ]
        found.sort()  # the least sure fifth first
        cuts = [len(found) * i // _N_FIFTHS for i in range(_N_FIFTHS + 1)]
        parts = [found[a:b] for a, b in pairwise(cuts) if b > a]
        return [
            (sum(p for p, _ in part) / len(part), sum(r for _, r in part) / len(part), len(part))
            for part in parts
        ]

    def report(self) -> dict[str, Any]:
        """Return the figures, to keep."""
        return {
            "machine": self.machine,
            "n_lines": len(self.lines),
            "requests": {name: msgspec.to_builtins(r) for name, r in _requests(self).items()},
            "fifths": self.fifths(),
            "played": [
                {
                    "by": name,
                    "least_confidence": level,
                    "n_lines": len(lines),
                    "whole": msgspec.to_builtins(total(w for _, w, _ in lines)),
                    "words": msgspec.to_builtins(total(w for _, _, w in lines)),
                }
                for (name, level), lines in self.played.items()
            ],
            "missing": self.missing,
        }


def page(measured: Measured) -> str:
    """Write the page as Markdown."""
    machine = described({k: v for k, v in measured.machine.items() if k != "date"})
    levels = ", ".join(f"{v:g} ({key})" for key, v in LEAST_CONFIDENCE.items())
    parts = [
        _HEAD.format(
            date=measured.machine.get("date", ""),
            machine=machine,
            n_lines=len(measured.lines),
            n_languages=len({line.language for line in measured.lines}),
            levels=levels,
        ),
        "\n## At the keyboard\n\n",
        table(_KEYBOARD, [*_keyboard_rows(measured)]),
        f"\n![Keys saved against wrong suggestions]({CURVE_NAME})\n",
        _COST,
        _cost_table(measured),
        _REQUESTS,
        _request_table(measured),
        _FIFTHS,
        _fifths_table(measured),
        f"\n![What was said and what was true]({RELIABILITY_NAME})\n",
        "\n## By language, balanced\n\n",
        _language_table(measured),
        *(f"\nNot measured: {words}\n" for words in measured.missing),
    ]
    return "".join(parts)


_KEYBOARD = (
    "by", "shown", "lines", "shown at % of the places", "of these right %",
    "wrong per 100 characters", "keys saved %", "words: keys saved %",
)  # fmt: skip


def _keyboard_rows(measured: Measured) -> Iterator[Sequence[object]]:
    names = {level: name for name, level in _LEVELS}
    for (name, level), lines in measured.played.items():
        if level in names and name != STOPPED:
            _, whole, words = zip(*lines, strict=True)
            together = total(whole)
            yield (
                name,
                names[level],
                len(lines),
                f"{100 * together.n_shown / together.n_asked:.0f}",
                f"{100 * together.n_right / max(1, together.n_shown):.0f}",
                _with_interval(whole, n_wrong),
                _with_interval(whole, n_saved),
                _with_interval(words, n_saved),
            )


def _cost_table(measured: Measured) -> str:
    head = ("shown", "lines", "requests", "forwards a character", "processor s a character")
    stopped = measured.played[STOPPED, BALANCED]
    lines = {line for line, _, _ in stopped}
    every = [one for one in measured.played[OURS, 0.0] if one[0] in lines]
    one, other = (total(whole for _, whole, _ in played) for played in (every, stopped))
    rows: list[tuple[object, ...]] = [
        (
            shown,
            len(lines),
            cost.n_asked,
            f"{cost.n_forwards / cost.n_chars:.3f}",
            f"{cost.processor_s / cost.n_chars:.4f}",
        )
        for shown, cost in ((EVERYTHING, one), ("balanced", other))
    ]
    names = ("n_asked", "n_forwards", "processor_s")
    ratios = (getattr(other, name) / getattr(one, name) for name in names)
    return table(head, [*rows, ("ratio", "", *(f"{ratio:.2f}" for ratio in ratios))])


def _requests(measured: Measured) -> dict[str, tuple[int, int, int]]:
    """Return, by what is shown, the requests, those with something shown, and the right ones."""
    found = {}
    for name, level in _LEVELS:
        shown = [(line.reference[at:], ghost.shown(level)) for line, at, ghost in measured.requests]
        seen = [(rest, text) for rest, text in shown if text]
        n_right = sum(rest.startswith(text) for rest, text in seen)
        found[name] = len(shown), len(seen), n_right
    return found


def _request_table(measured: Measured) -> str:
    rows = [
        (name, n, rate(n_shown, n).percent(), rate(n_right, n_shown).percent())
        for name, (n, n_shown, n_right) in _requests(measured).items()
    ]
    return table(("shown", "requests", "something shown", "all of it right"), rows)


def _fifths_table(measured: Measured) -> str:
    fifths = measured.fifths()
    n_all = sum(n for _, _, n in fifths) or 1
    error = sum(n * abs(said - true) for said, true, n in fifths) / n_all
    rows = [(str(n), f"{100 * said:.1f}", f"{100 * true:.1f}") for said, true, n in fifths]
    rows.append((f"all {n_all}", "calibration error (ECE)", f"{100 * error:.1f} points"))
    return table(("suggestions", "confidence %", "right %"), rows)


def _language_table(measured: Measured) -> str:
    lines = grouped(measured.played[OURS, BALANCED], lambda typed: typed[0].language)
    played = {language: [whole for _, whole, _ in some] for language, some in lines.items()}
    rows = [
        (language, len(some), _with_interval(some, n_wrong), _with_interval(some, n_saved))
        for language, some in played.items()
    ]
    return table(("language", "lines", "wrong per 100 characters", "keys saved %"), rows)


def n_wrong(played: Played) -> float:
    """Return the wrong suggestions per 100 characters."""
    return 100 * (played.n_shown - played.n_right) / played.n_chars


def n_saved(played: Played) -> float:
    """Return the percentage of the keys that was saved."""
    return 100 * (1 - played.n_keys / played.n_chars)


def _with_interval(lines: Sequence[Played], measure: Callable[[Played], float]) -> str:
    """Return a measure of lines together, with the interval that drawing the lines anew gives.

    The bootstrap's percentiles (Efron 1979).
    """
    rng = random.Random(0)  # noqa: S311  not for secrets
    drawn = sorted(measure(total(rng.choices(lines, k=len(lines)))) for _ in range(_N_RESAMPLES))
    low, high = drawn[int(0.025 * _N_RESAMPLES)], drawn[int(0.975 * _N_RESAMPLES) - 1]
    return f"{measure(total(lines)):.1f} ({low:.1f}-{high:.1f})"
