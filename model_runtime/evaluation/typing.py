"""`remask eval typing`: what ghost text loses by carrying the file behind the cursor along.

A line is typed character by character, and at some of them ghost text is asked for: once in a
document that was asked about before, and once in one that was not. The same where whole lines were
put in since the document was asked about, as whoever accepts a suggestion does, and where the
cursor stood at another line then. What differs between the two is what `modes.carried` spares and
what it costs.
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.heldout import read_lines
from model_runtime.evaluation.metrics import grouped, share
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import described, session, spread, today

if TYPE_CHECKING:
    import argparse

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask

#: Characters of a line after which ghost text is asked for.
TYPED = (1, 2, 4, 7, 10)
#: Lines above it that the document did not have when it was asked about before.
LINES = (1, 3, 6)
#: Lines by which the cursor has moved since then, down where positive.
MOVED = (1, 5, 20, -1, -5, -20)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One line, before which something was done since the document was asked about."""

    id: str
    #: What was, in words.
    done: str
    #: Whether the fill is what stood there: carried along, and encoded anew.
    carried_exact: bool
    fresh_exact: bool
    #: Whether both are the same text.
    same: bool
    carried_s: float
    fresh_s: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """All that was done before one line."""

    id: str
    asked: tuple[Asked, ...]


class Place(NamedTuple):
    """A file, and where in it the cursor is."""

    prefix: str
    suffix: str


def main(arguments: argparse.Namespace) -> str:
    """Measure, write the page and return it."""
    tasks, seed = spread(read_lines(arguments.tasks), arguments.limit), arguments.seed
    with session(arguments, Line, seed=str(seed)) as (engine, machine, journal):
        lines = [journal.once(task.id, partial(_type, engine, task, seed)) for task in tasks]
    return page([one for line in lines for one in line.asked], machine, today())


def _type(engine: Engine, task: EvalTask, seed: int) -> Line:
    """Type a line, put in those above it, and move; before each there is something to carry."""
    _ask(engine, task, _place(task), task.id, seed)
    found = [
        _compare(engine, task, n_typed, _characters(n_typed), task.id, seed)
        for n_typed in TYPED
        if n_typed < len(task.reference)
    ]
    *above, half = task.prefix.split("\n")
    lines = [*above, *(half + task.suffix).split("\n")]
    earlier = {
        _lines(n): Place("\n".join(above[:-n]) + "\n", task.suffix) for n in LINES if n < len(above)
    } | {
        _moved(n): _end_of(lines, len(above) - n) for n in MOVED if 0 <= len(above) - n < len(lines)
    }
    for done, place in earlier.items():
        document = f"{task.id}, {done}"
        _ask(engine, task, place, document, seed)
        found.append(_compare(engine, task, 0, done, document, seed))
    return Line(id=task.id, asked=tuple(found))


def _place(task: EvalTask, n_typed: int = 0) -> Place:
    return Place(task.prefix + task.reference[:n_typed], task.suffix)


def _end_of(lines: list[str], index: int) -> Place:
    return Place("\n".join(lines[: index + 1]), "\n" + "\n".join(lines[index + 1 :]))


def _characters(n: int) -> str:
    return f"{n} characters typed"


def _lines(n: int) -> str:
    return f"{n} line put in" if n == 1 else f"{n} lines put in"


def _moved(n: int) -> str:
    return f"cursor {abs(n)} {'down' if n > 0 else 'up'}"


def _compare(
    engine: Engine, task: EvalTask, n_typed: int, done: str, document: str, seed: int
) -> Asked:
    """Ask in a document that was asked about before, and in one that was not."""
    place, rest = _place(task, n_typed), task.reference[n_typed:].rstrip()
    carried = _ask(engine, task, place, document, seed)
    fresh = _ask(engine, task, place, f"{task.id}, {done}, new", seed)
    return Asked(
        id=task.id,
        done=done,
        carried_exact=carried.text.rstrip() == rest,
        fresh_exact=fresh.text.rstrip() == rest,
        same=carried.text == fresh.text,
        carried_s=carried.seconds,
        fresh_s=fresh.seconds,
    )


def _ask(engine: Engine, task: EvalTask, place: Place, document: str, seed: int) -> Answer:
    """Ask for ghost text at a place."""
    fields = {"document": document, "lane": "inline", **place._asdict()}
    return ask(engine, msgspec.structs.replace(task.request(seed), **fields))


def page(asked: list[Asked], machine: dict[str, str], date: str) -> str:
    """Write the page as Markdown."""
    kinds = (*map(_characters, TYPED), *map(_lines, LINES), *map(_moved, MOVED))
    groups = grouped(asked, lambda one: one.done)
    rows = [(done, *_figures(groups[done])) for done in kinds if done in groups]
    rows.append(("all", *_figures(asked)))
    head = ("done", "asked", "exact %, carried", "exact %, anew", "same text %", "times as fast")
    n_lines = len({one.id for one in asked})
    return (
        "# Ghost text while typing\n\n"
        f"Made by `remask eval typing` on {date}; do not edit. {n_lines} held-out lines: ghost "
        "text is asked for where the tail of the prompt was carried along from the request before, "
        "and in a document that nothing is known of. Between the two requests something was done: "
        "characters of the line typed, lines above it put in, or the cursor moved there from "
        "another line. *Exact* is the share of fills that "
        "are the rest of the line; *times as fast* is the median of the pairs.\n\n"
        f"{table(head, rows)}\nMachine: {described(machine)}.\n"
    )


def _figures(group: list[Asked]) -> tuple[str, ...]:
    return (
        str(len(group)),
        share(one.carried_exact for one in group).points(),
        share(one.fresh_exact for one in group).points(),
        share(one.same for one in group).points(),
        f"{statistics.median(one.fresh_s / one.carried_s for one in group):.1f}",
    )
