"""`remask eval typing`: what ghost text loses by carrying the file behind the cursor along.

A line is typed character by character, and at some of them ghost text is asked for: once in a
document that was asked about before, and once in one that was not. The same where whole lines were
put in since the document was asked about, as whoever accepts a suggestion does. What differs
between the two is what `modes.carried` spares and what it costs.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import msgspec

from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.metrics import Rate, rate
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import Deaf, Journal, Unstoppable, describe_machine, spread
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask

PAGE_NAME = "typing.md"
#: Characters of a line after which ghost text is asked for.
TYPED = (1, 2, 4, 7, 10)
#: Lines above it that the document did not have when it was asked about before.
LINES = (1, 3, 6)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One line with some of it, or some lines above it, typed."""

    id: str
    #: How much was, in words.
    typed: str
    #: Whether the fill is what stood there: carried along, and encoded anew.
    carried_exact: bool
    fresh_exact: bool
    #: Whether both are the same text.
    same: bool
    carried_s: float
    fresh_s: float


def main(arguments: argparse.Namespace) -> str:
    """Measure, write the page and return it."""
    tasks = [task for task in read_tasks(arguments.tasks) if task.single_line]
    engine = LocalEngine(load_settings(flags_of(arguments)))
    asked: list[Asked] = []
    try:
        _ask(engine, tasks[0], tasks[0].prefix, "warm-up", arguments.seed)
        machine = describe_machine(engine)
        depends = machine | {"seed": str(arguments.seed)}
        journal = Journal(arguments.out / "typing.jsonl", depends, Asked, resume=arguments.resume)
        done = journal.read()
        for task in spread(tasks, arguments.limit):
            found = [one for one in done if one.id == task.id] or _type(
                engine, task, arguments.seed
            )
            for one in found if found[0] not in done else ():
                journal.append(one)
            asked += found
    finally:
        engine.close()
    words = page(asked, machine, time.strftime("%Y-%m-%d"))
    (arguments.out / PAGE_NAME).write_text(words, encoding="utf-8")
    return words


def _type(engine: Engine, task: EvalTask, seed: int) -> list[Asked]:
    """Type a line, and the lines above it; before each there is something to carry."""
    _ask(engine, task, task.prefix, task.id, seed)
    found = [
        _compare(engine, task, n_typed, _characters(n_typed), task.id, seed)
        for n_typed in TYPED
        if n_typed < len(task.reference)
    ]
    *above, _ = task.prefix.split("\n")
    for n_lines in (n for n in LINES if n < len(above)):
        document = f"{task.id} without {n_lines} lines"
        _ask(engine, task, "\n".join(above[:-n_lines]) + "\n", document, seed)
        found.append(_compare(engine, task, 0, _lines(n_lines), document, seed))
    return found


def _characters(n: int) -> str:
    return f"{n} characters"


def _lines(n: int) -> str:
    return f"{n} line" if n == 1 else f"{n} lines"


def _compare(
    engine: Engine, task: EvalTask, n_typed: int, words: str, document: str, seed: int
) -> Asked:
    """Ask in a document that was asked about before, and in one that was not."""
    prefix, rest = task.prefix + task.reference[:n_typed], task.reference[n_typed:].rstrip()
    carried, carried_s = _ask(engine, task, prefix, document, seed)
    fresh, fresh_s = _ask(engine, task, prefix, f"{task.id} {words}, new", seed)
    return Asked(
        id=task.id,
        typed=words,
        carried_exact=carried.rstrip() == rest,
        fresh_exact=fresh.rstrip() == rest,
        same=carried == fresh,
        carried_s=carried_s,
        fresh_s=fresh_s,
    )


def _ask(
    engine: Engine, task: EvalTask, prefix: str, document: str, seed: int
) -> tuple[str, float]:
    """Ask for ghost text behind a prefix; return it, and the seconds it took."""
    request = InfillRequest(
        id="typing",
        path=task.path,
        document=document,
        language=task.language,
        prefix=prefix,
        suffix=task.suffix,
        spans=(MaskSpan(single_line=True),),
        lane="inline",
        seed=seed,
    )
    started = time.perf_counter()
    finished = engine.infill(request, Deaf(), Unstoppable())
    return finished.alternatives[0].texts[0], time.perf_counter() - started


def page(asked: list[Asked], machine: dict[str, str], date: str) -> str:
    """Write the page as Markdown."""
    groups = {
        words: [one for one in asked if one.typed == words]
        for words in (*map(_characters, TYPED), *map(_lines, LINES))
    }
    rows = [(words, *_figures(group)) for words, group in groups.items() if group]
    rows.append(("all", *_figures(asked)))
    head = ("typed", "asked", "exact %, carried", "exact %, anew", "same text %", "times as fast")
    described = ", ".join(f"{key} {value}" for key, value in machine.items())
    n_lines = len({one.id for one in asked})
    return (
        "# Ghost text while typing\n\n"
        f"Made by `remask eval typing` on {date}; do not edit. {n_lines} held-out lines, typed: "
        "ghost text is asked for where the tail of the prompt was carried along from the request "
        "before, and in a document that nothing is known of. *Lines* are put in above, between the "
        "two requests. *Exact* is the share of fills that "
        "are the rest of the line; *times as fast* is the median of the pairs.\n\n"
        f"{table(head, rows)}\nMachine: {described}.\n"
    )


def _figures(group: list[Asked]) -> tuple[str, ...]:
    n = len(group)
    shares = (
        rate(sum(one.carried_exact for one in group), n),
        rate(sum(one.fresh_exact for one in group), n),
        rate(sum(one.same for one in group), n),
    )
    faster = statistics.median(one.fresh_s / one.carried_s for one in group)
    return (str(n), *map(_percent, shares), f"{faster:.1f}")


def _percent(share: Rate) -> str:
    return f"{100 * share.value:.1f} ({100 * share.low:.0f}-{100 * share.high:.0f})"
