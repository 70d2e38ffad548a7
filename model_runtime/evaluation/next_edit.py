"""`remask eval next-edit`: what is offered after an edit, what should be, and when nothing is.

The tasks are made by `python -m lsp_server.next_edit.tasks`: what the language server asks, and
which places are wanted. Outcomes hold every group that was judged, so that one run tells all bounds
of confidence, and `--fit` can make the curve of `modes.wanted` anew.
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.asking import Clock, Patient
from model_runtime.evaluation.logistic import fitted
from model_runtime.evaluation.metrics import grouped, rate
from model_runtime.evaluation.report import table, write_outcomes
from model_runtime.evaluation.rows import read_rows
from model_runtime.evaluation.run import described, session, spread, today
from model_runtime.modes.digest import Spot, are_apart
from model_runtime.modes.wanted import NAMES, chance, features
from model_runtime.protocol import LEAST_CONFIDENCE
from model_runtime.protocol.eval_tasks import NextEditTask

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from model_runtime.engines.base import NextEditEngine

#: Bounds that the curve shows beside those of the settings.
BOUNDS = (0.3, 0.5, 0.7, 0.9, 0.95)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A group that was judged."""

    spans: tuple[tuple[int, int], ...]
    n_places: int
    #: Of its places, how many are wanted.
    n_right: int
    gain: float
    due: float
    features: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether most of it is wanted."""
        return 2 * self.n_right > self.n_places


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One task, and what came of it."""

    id: str
    kind: str
    language: str
    n_wanted: int
    #: In the order in which they are looked at.
    groups: tuple[Judged, ...]
    #: What a request took as an editor makes it, its context cached; of the processor, too, and
    #: counted in what is the same on every machine.
    seconds: float
    processor_s: float
    n_rows: int
    n_forwards: int

    def offered(self, bound: float) -> list[Judged]:
        """Return the groups that are offered from a confidence on: of two for a place the first."""
        found: list[Judged] = []
        for group in self.groups:
            spots = [Spot(*span, "") for one in [*found, group] for span in one.spans]
            if chance(group.features) >= bound and are_apart(spots):
                found.append(group)
        return found


def read_tasks(path: Path) -> list[NextEditTask]:
    """Read tasks; see `read_rows`."""
    return read_rows(path, NextEditTask, f"no next-edit tasks in {path}")


def main(arguments: argparse.Namespace) -> str:
    """Measure, write what was asked, and return the page."""
    read = [task for path in arguments.tasks for task in read_tasks(path)]
    with session(arguments, Asked) as (engine, machine, journal):
        asked = [
            journal.once(task.id, partial(ask, engine, task, is_timed=not arguments.fit))
            for task in spread(read, arguments.limit)
        ]
    write_outcomes(arguments.out / "next-edit.json", machine, today(), asked)
    words = page(asked, machine, today())
    return words + "\n" + fit(asked) if arguments.fit else words


def ask(engine: NextEditEngine, task: NextEditTask, *, is_timed: bool = True) -> Asked:
    """Ask for all that is judged; and time a request as an editor makes it, its context cached."""
    request = msgspec.structs.replace(task.request, id=task.id, least_confidence=0.0)
    client = Patient()
    found = engine.next_edits(request, client, client)
    seconds, processor_s, usage = 0.0, 0.0, found.usage
    if is_timed:
        least = LEAST_CONFIDENCE["balanced"]
        timed, clock = msgspec.structs.replace(request, least_confidence=least), Clock()
        usage = engine.next_edits(timed, client, client).usage
        seconds, processor_s = clock.seconds, clock.processor_s
    wanted = set(task.wanted)
    groups = []
    for proposal in sorted(found.proposals, key=lambda proposal: proposal.group):
        places = {(place.start, place.end, place.text) for place in proposal.places}
        group = request.groups[proposal.group]
        groups.append(
            Judged(
                spans=tuple((place.start, place.end) for place in proposal.places),
                n_places=len(places),
                n_right=len(places & wanted),
                gain=proposal.gain,
                due=proposal.due,
                features=features(request.changes, group, proposal.gain, proposal.due),
            )
        )
    return Asked(
        id=task.id,
        kind=task.kind,
        language=request.language,
        n_wanted=len(wanted),
        groups=tuple(groups),
        seconds=seconds,
        processor_s=processor_s,
        n_rows=usage.n_context_tokens + usage.n_tokens,
        n_forwards=usage.n_forwards,
    )


def page(asked: Sequence[Asked], machine: dict[str, str], date: str) -> str:
    """Write the page as Markdown."""
    bounds = sorted({*BOUNDS, *LEAST_CONFIDENCE.values()})
    parts = []
    for kind, some in sorted(grouped(asked, _family).items()):
        rows = [(f"{bound:g}", *_figures(some, bound)) for bound in bounds]
        parts.append(f"## {kind}, {len(some)} tasks\n\n{table(_HEAD, rows)}")
    bound = LEAST_CONFIDENCE["balanced"]
    keys: dict[str, Callable[[Asked], str]] = {
        "kind": lambda one: one.kind,
        "language": lambda one: f"{one.language}, {_family(one)}",
    }
    for name, key in keys.items():
        groups = sorted(grouped(asked, key).items())
        rows = [(value, *_figures(some, bound)) for value, some in groups]
        parts.append(f"## By {name}, from {bound:g} on\n\n{table((name, *_HEAD[1:]), rows)}")
    return (
        "# Next edits\n\n"
        f"Made by `remask eval next-edit` on {date}; do not edit. {len(asked)} edits. *Found* is "
        "the share of the wanted places that is offered from a confidence on, *right* the share "
        "of what is offered that is wanted, *quiet* the share of edits after which nothing is "
        "offered, of those after which nothing is wanted; 95 % intervals. Milliseconds of the "
        "processor, rows and forwards are those of the second time a file is asked about, its "
        "context cached, from the balanced bound on: the median, and what 95 % stay below.\n\n"
        + "\n".join(parts)
        + f"\nMachine: {described(machine)}.\n"
    )


def _family(one: Asked) -> str:
    """Return the first word of a task's kind."""
    return one.kind.split()[0]


_COSTS = ("ms", "95 %", "rows", "95 %", "forwards", "95 %")
_HEAD = ("from", "tasks", "found %", "right %", "quiet %", *_COSTS)


def _figures(asked: Sequence[Asked], bound: float) -> tuple[str, ...]:
    offered = [group for one in asked for group in one.offered(bound)]
    n_right = sum(group.n_right for group in offered)
    n_offered = sum(group.n_places for group in offered)
    idle = [one for one in asked if not one.n_wanted]
    n_quiet = sum(not one.offered(bound) for one in idle)
    return (
        str(len(asked)),
        _percent(n_right, sum(one.n_wanted for one in asked)),
        _percent(n_right, n_offered),
        _percent(n_quiet, len(idle)),
        *_middle_and_high([1000 * one.processor_s for one in asked]),
        *_middle_and_high([one.n_rows for one in asked]),
        *_middle_and_high([one.n_forwards for one in asked]),
    )


def _middle_and_high(numbers: Sequence[float]) -> tuple[str, str]:
    """Return the median and the 95th percentile."""
    ordered = sorted(numbers)
    return f"{statistics.median(ordered):.0f}", f"{ordered[int(0.95 * (len(ordered) - 1))]:.0f}"


def _percent(n: int, of: int) -> str:
    return rate(n, of).points() if of else "-"


def fit(asked: Iterable[Asked]) -> str:
    """Fit the curve to what was asked, and return its weights as they go into the source."""
    rows = [(group.features, group.is_right) for one in asked for group in one.groups]
    weights = fitted([row for row, _ in rows], [right for _, right in rows])
    told = ", ".join(f"{weight:.3f}" for weight in weights)
    return f"Fitted to {len(rows)} groups ({', '.join(NAMES)}): ({told})\n"
