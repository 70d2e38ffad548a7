"""Measuring repair and holes on HumanEval-Infilling's single lines.

Repair: one fault is planted in a line and the line's repair asked for; the same for the clean line.
As in the editor, of the alternatives the first that parses is taken; here the compiler says so.
Holes: two to four lines of one function are filled together, and one after another.
"""

from __future__ import annotations

import random
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.execution import compiles
from model_runtime.evaluation.faults import plant
from model_runtime.evaluation.humaneval import read_humaneval, try_out
from model_runtime.evaluation.journal import once
from model_runtime.evaluation.metrics import grouped, share
from model_runtime.evaluation.report import table, write_json
from model_runtime.evaluation.run import describe_machine, engine_of, spread
from model_runtime.protocol import MaskSpan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.journal import Journal
    from model_runtime.protocol import Mode

N_REPAIRS = 8
MAX_HOLES = 4
#: The modes that holes are filled with, and what they are called.
HOLE_MODES: dict[Mode, str] = {"holes": "jointly", "infill": "one after another"}


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """One line and what became of it."""

    id: str
    #: "clean" where no fault was planted.
    kind: str
    asked: str
    got: str
    exact: bool
    #: Whether the function passes its tests; None where they were not run.
    passes: bool | None
    seconds: float


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """Holes of one function and what they were filled with."""

    id: str
    mode: str
    texts: tuple[str, ...]
    references: tuple[str, ...]
    exact: bool
    passes: bool | None
    seconds: float


def main(arguments: argparse.Namespace) -> str:
    """Measure repair or holes; write what the table is made of, and return it."""
    tasks, limit, seed = read_humaneval(arguments.file), arguments.limit, arguments.seed
    measure = measure_repair if arguments.benchmark == "repair" else measure_holes
    with engine_of(arguments) as engine:
        measured = measure(engine, tasks, limit, seed=seed, run=not arguments.no_run)
        machine = describe_machine(engine)
    path = arguments.out / f"{arguments.benchmark}.json"
    write_json(path, {"machine": machine, "seed": seed, "measured": measured})
    return shares(measured)


def measure_repair(
    engine: Engine,
    tasks: Sequence[EvalTask],
    limit: int | None,
    *,
    seed: int,
    run: bool,
    journal: Journal[Repaired] | None = None,
) -> list[Repaired]:
    """Ask for the repair of each task's line with a fault, and without.

    Args:
        engine: repairs.
        tasks: single lines.
        limit: so many of them, evenly chosen; None for all.
        seed: chooses the faults, and goes with every request.
        run: whether to try the functions out.
        journal: where results are kept; what stands there already is not done again.
    """
    measured = []
    for task in spread(tasks, limit):
        line = task.reference.strip()
        rng = random.Random(f"{seed}/{task.id}")  # noqa: S311  not for secrets
        planted = plant(line, task.prefix + task.suffix, rng)
        for asked, kind in [(line, "clean"), *([planted] if planted else [])]:
            repair = partial(_repair, engine, task, asked, kind, seed=seed, run=run)
            measured.append(once(journal, (task.id, kind), repair))
    return measured


def _repair(
    engine: Engine, task: EvalTask, asked: str, kind: str, *, seed: int, run: bool
) -> Repaired:
    line = task.reference.strip()
    indent, _, end = task.reference.partition(line)
    request = msgspec.structs.replace(
        task.request(seed), prefix=task.prefix + indent, suffix=end + task.suffix, mode="repair",
        spans=(MaskSpan(text=asked, single_line=True),), n_alternatives=N_REPAIRS, best_only=True,
    )  # fmt: skip
    answer = ask(engine, request)
    parsing = (text for text in answer.texts if compiles(task.complete(indent + text + end)))
    got = next(parsing, answer.text)
    return Repaired(
        id=task.id,
        kind=kind,
        asked=asked,
        got=got,
        exact=got == line,
        passes=try_out(task, indent + got + end) == "pass" if run else None,
        seconds=answer.seconds,
    )


def measure_holes(
    engine: Engine,
    tasks: Sequence[EvalTask],
    limit: int | None,
    *,
    seed: int,
    run: bool,
    journal: Journal[Filled] | None = None,
) -> list[Filled]:
    """Fill lines of each function jointly, and one after another; `limit` is of functions."""
    measured = []
    functions = grouped(tasks, lambda task: task.id.rpartition("/")[0])
    for name, all_lines in spread([*functions.items()], limit):
        lines = [task for task in all_lines if task.reference.strip()]
        rng = random.Random(f"{seed}/{name}")  # noqa: S311  not for secrets
        n_holes = min(len(lines), rng.randint(2, MAX_HOLES))
        if n_holes < 2:  # noqa: PLR2004  one hole is an infill
            continue
        chosen = sorted(rng.sample(lines, n_holes), key=lambda task: len(task.prefix))
        for mode, words in HOLE_MODES.items():
            fill = partial(_fill, engine, name, chosen, mode, seed=seed, run=run)
            measured.append(once(journal, (name, words), fill))
    return measured


def _fill(
    engine: Engine, name: str, tasks: Sequence[EvalTask], mode: Mode, *, seed: int, run: bool
) -> Filled:
    text = tasks[0].complete(tasks[0].reference)
    references = tuple(task.reference.strip() for task in tasks)
    starts = [text.index(task.reference.strip(), len(task.prefix)) for task in tasks]
    ends = [start + len(line) for start, line in zip(starts, references, strict=True)]
    between = [text[a:b] for a, b in zip(ends, [*starts[1:], ends[-1]], strict=True)]
    spans = tuple(MaskSpan(text="___", following=gap, single_line=True) for gap in between)
    whole = msgspec.structs.replace(
        tasks[0], id=name, prefix=text[: starts[0]], suffix=text[ends[-1] :], single_line=False
    )
    request = msgspec.structs.replace(whole.request(seed), spans=spans, mode=mode, best_only=True)
    answer = ask(engine, request)
    texts = answer.finished.alternatives[0].texts
    middle = "".join(fill + gap for fill, gap in zip(texts, between, strict=True))
    return Filled(
        id=name,
        mode=HOLE_MODES[mode],
        texts=texts,
        references=references,
        exact=tuple(fill.rstrip() for fill in texts) == references,
        passes=try_out(whole, middle) == "pass" if run else None,
        seconds=answer.seconds,
    )


def shares(measured: Sequence[Repaired] | Sequence[Filled]) -> str:
    """Return the shares by kind of fault, or by way of filling, as a Markdown table."""
    all_of_it: Sequence[Repaired | Filled] = measured
    by_kind = grouped(all_of_it, lambda one: one.kind if isinstance(one, Repaired) else one.mode)
    rows = []
    for kind, ones in by_kind.items():
        ran = [one.passes for one in ones if one.passes is not None]
        exact = share(one.exact for one in ones).percent()
        passing = share(ran).percent() if ran else ""
        seconds = fmean(one.seconds for one in ones)
        rows.append((kind, len(ones), exact, passing, f"{seconds:.1f}"))
    return table(("", "n", "exact", "passing", "s"), rows, "|---|---|---|---|---|")
