"""`remask eval rewriting`: instructions on selected code, checked by program.

Each task of `rewriting_kinds` is asked for at several strengths, and once with alternatives to
choose from. It is done where what was asked for shows in the tree and the function still passes its
tests.
"""

from __future__ import annotations

import statistics
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.base import Verdict
from model_runtime.evaluation.execution import verdict_of
from model_runtime.evaluation.metrics import grouped, share
from model_runtime.evaluation.pack import read_pack
from model_runtime.evaluation.report import table, write_outcomes
from model_runtime.evaluation.rewriting_kinds import make_tasks
from model_runtime.evaluation.run import described, session, spread, today
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
    keys = ("id", "strength", "n_alternatives")
    seed = arguments.seed
    with session(arguments, Rewritten, *keys, seed=str(seed)) as (engine, machine, journal):
        rewritten = [
            journal.once((task.id, *way), partial(rewrite, engine, task, *way, seed))
            for task in tasks
            for way in WAYS
        ]
    write_outcomes(arguments.out / "rewriting.json", machine, today(), rewritten)
    return page(rewritten, machine, today())


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
    return Result(
        text=text,
        shows=task.is_done(tree),
        is_only=task.is_only(tree),
        verdict=verdict_of(f"{task.prefix}{text}{task.suffix}", task.function.test),
    )


def page(rewritten: Sequence[Rewritten], machine: dict[str, str], date: str) -> str:
    """Return the page, in Markdown."""
    ways = grouped(rewritten, lambda one: (one.strength, one.n_alternatives))
    rows = [(_way(*way), *_cells(ones)) for way, ones in ways.items()]
    # Of the ways with one result the strongest: alternatives are another question.
    strength = max(one.strength for one in rewritten)
    chosen = [one for one in rewritten if (one.strength, one.n_alternatives) == (strength, 1)]
    kinds = [
        (name, *_cells(ones))
        for groups in (
            grouped(chosen, lambda one: one.scope),
            grouped(chosen, lambda one: f"{one.kind}, {one.scope}"),
        )
        for name, ones in groups.items()
    ]
    return "".join(
        [
            _HEAD,
            f"{date}, {described(machine)}.\n",
            _WORDS,
            f"\n## By strength\n\n{table(('strength', *_COLUMNS), rows, _RULE)}",
            f"\n## By what was asked for, strength {strength:g}\n\n",
            table(("", *_COLUMNS), kinds, _RULE),
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


def _way(strength: float, n_alternatives: int) -> str:
    return f"{strength}" if n_alternatives == 1 else f"{strength}, one of {n_alternatives}"


def _cells(ones: Sequence[Rewritten]) -> tuple[str, ...]:
    best = [
        next((result for result in one.results if result.is_done), one.results[0]) for one in ones
    ]
    known = [one.is_only for one in best if one.is_done and one.is_only is not None]
    shares = (
        share(one.is_done for one in best),
        share(one.shows for one in best),
        share(one.verdict == "pass" for one in best),
        share(one.results[0].text == one.before for one in ones),
    )
    return (
        str(len(ones)),
        *(each.percent() for each in shares),
        share(known).percent() if known else "-",
        f"{statistics.median(one.seconds for one in ones):.1f}",
    )
