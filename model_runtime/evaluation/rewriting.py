"""`remask eval rewriting`: instructions on selected code, checked by program.

Each task of `rewriting_kinds` is asked for at several strengths, and once with alternatives to
choose from. It is done where what was asked for shows in the tree and the function still passes its
tests.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.base import Verdict
from model_runtime.evaluation.execution import run_program
from model_runtime.evaluation.metrics import rate
from model_runtime.evaluation.pack import read_pack
from model_runtime.evaluation.report import table, write_outcomes
from model_runtime.evaluation.rewriting_kinds import make_tasks
from model_runtime.evaluation.run import describe_machine, described, engine_of, journal_of, spread
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.rewriting_tasks import Task

N_OF_KIND = 12
#: Strength and number of alternatives.
WAYS = ((0.3, 1), (0.6, 1), (1.0, 1), (1.0, 4))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One text that came back."""

    text: str
    #: Whether what was asked for shows in the tree, and whether nothing else was changed.
    shows: bool
    is_only: bool | None
    #: What the function's tests say of it.
    verdict: Verdict

    @property
    def is_done(self) -> bool:
        """Whether it was done and broke nothing."""
        return self.shows and self.verdict == "pass"


class Rewritten(msgspec.Struct, frozen=True, kw_only=True):
    """One task, asked for in one way."""

    id: str
    kind: str
    scope: str
    strength: float
    n_alternatives: int
    before: str
    results: tuple[Result, ...]
    #: Of the processor.
    seconds: float


def main(arguments: argparse.Namespace) -> str:
    """Measure, write the page and return it."""
    functions = list(chain.from_iterable(map(read_pack, arguments.file)))
    python = [one for one in functions if one.language == "python"]
    tasks = spread(make_tasks(python, N_OF_KIND), arguments.limit)
    with engine_of(arguments, "local") as engine:
        machine = describe_machine(engine)
        settings = machine | {"seed": str(arguments.seed)}
        keys = ("id", "strength", "n_alternatives")
        journal = journal_of(arguments, "rewriting", settings, Rewritten, *keys)
        rewritten = [
            journal.once((task.id, *way), partial(rewrite, engine, task, *way, arguments.seed))
            for task in tasks
            for way in WAYS
        ]
    date = time.strftime("%Y-%m-%d")
    write_outcomes(arguments.out / "rewriting.json", machine, date, rewritten)
    return page(rewritten, machine, date)


def rewrite(
    engine: Engine, task: Task, strength: float, n_alternatives: int, seed: int
) -> Rewritten:
    """Ask for one task as an editor does, and look at what comes back."""
    span = MaskSpan(text=task.text, enclosing=task.enclosing)
    request = InfillRequest(
        id=task.id, document=task.id, language="python", prefix=task.prefix, suffix=task.suffix,
        spans=(span,), mode="rewrite", instruction=task.instruction, strength=strength,
        n_alternatives=n_alternatives, seed=seed,
    )  # fmt: skip
    answer = ask(engine, request)
    return Rewritten(
        id=task.id,
        kind=task.kind,
        scope=task.scope,
        strength=strength,
        n_alternatives=n_alternatives,
        before=task.text,
        results=tuple(_result(task, text) for text in answer.texts),
        seconds=answer.processor_s,
    )


def _result(task: Task, text: str) -> Result:
    tree = task.tree(text)
    if tree is None:
        return Result(text=text, shows=False, is_only=False, verdict="error")
    program = f"{task.prefix}{text}{task.suffix}\n{task.function.test}\n"
    return Result(
        text=text,
        shows=task.is_done(tree),
        is_only=task.is_only(tree),
        verdict=run_program(program).verdict,
    )


def page(rewritten: Sequence[Rewritten], machine: dict[str, str], date: str) -> str:
    """Return the page, in Markdown."""
    ways = _grouped(rewritten, "strength", "n_alternatives")
    rows = [(_way(*way), *_cells(ones)) for way, ones in ways.items()]
    # Of the ways with one result the strongest: alternatives are another question.
    strength = max(one.strength for one in rewritten)
    chosen = [one for one in rewritten if (one.strength, one.n_alternatives) == (strength, 1)]
    kinds = [
        (f"{kind}, {scope}", *_cells(ones))
        for (scope, kind), ones in _grouped(chosen, "scope", "kind").items()
    ]
    scopes = [(f"{scope}", *_cells(ones)) for (scope,), ones in _grouped(chosen, "scope").items()]
    return "".join(
        [
            _HEAD,
            f"{date}, {described(machine)}.\n",
            _WORDS,
            f"\n## By strength\n\n{table(('strength', *_COLUMNS), rows, _RULE)}",
            f"\n## By what was asked for, strength {strength:g}\n\n",
            table(("", *_COLUMNS), [*scopes, *kinds], _RULE),
        ]
    )


_HEAD = """# Rewriting, checked by program

Instructions on selected code of HumanEvalPack's Python functions, with the default model. Made by

    remask eval rewriting HumanEvalPack-python.jsonl.gz --out FOLDER

In brackets: 95 % interval. Rows of fewer than 100 tasks are a hint. Seconds are the processor's,
the median of a task. """
_WORDS = """
- *done*: what was asked for shows in the tree, and the function passes its tests; of several
  alternatives one is enough.
- *shows*: the former alone. *passing*: the latter alone. *the same*: nothing was changed.
- *nothing else*: of those that are done, the share where the rest of the tree is as it was; only
  where there is but one way to do what was asked.
"""
_COLUMNS = ("tasks", "done", "shows", "passing", "the same", "nothing else", "s")
_RULE = "|---|---:|---:|---:|---:|---:|---:|---:|"


def _grouped(ones: Sequence[Rewritten], *names: str) -> dict[tuple[object, ...], list[Rewritten]]:
    groups: dict[tuple[object, ...], list[Rewritten]] = {}
    for one in ones:
        groups.setdefault(tuple(getattr(one, name) for name in names), []).append(one)
    return groups


def _way(strength: object, n_alternatives: object) -> str:
    return f"{strength}" if n_alternatives == 1 else f"{strength}, one of {n_alternatives}"


def _cells(ones: Sequence[Rewritten]) -> tuple[str, ...]:
    best = [
        next((result for result in one.results if result.is_done), one.results[0]) for one in ones
    ]
    known = [one.is_only for one in best if one.is_done and one.is_only is not None]
    n_same = sum(one.results[0].text == one.before for one in ones)
    n = len(ones)
    return (
        str(n),
        *(
            rate(count, of).percent()
            for count, of in (
                (sum(one.is_done for one in best), n),
                (sum(one.shows for one in best), n),
                (sum(one.verdict == "pass" for one in best), n),
                (n_same, n),
            )
        ),
        rate(sum(known), len(known)).percent() if known else "-",
        f"{statistics.median(one.seconds for one in ones):.1f}",
    )
