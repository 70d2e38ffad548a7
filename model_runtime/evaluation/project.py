"""`remask eval project`: lines whose right answer stands in another file, and what showing it does.

The language server cuts the tasks and chooses what is shown, for it has the grammars; here each is
filled with nothing shown, with what was retrieved, and with the very definition that is needed, in
each form. The seconds are those until the first draft of ghost text, in a document that was asked
about at the beginning of the line.
"""

from __future__ import annotations

import math
import re
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.metrics import Z, grouped, share
from model_runtime.evaluation.report import table, write_outcomes
from model_runtime.evaluation.rows import read_rows
from model_runtime.evaluation.run import described, session, spread, today
from model_runtime.protocol.eval_tasks import OWN, ProjectTask
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from model_runtime.engines.base import Engine

#: What is shown, and how.
VARIANTS = (
    "nothing", "retrieved, comment", "retrieved, marks", "given, comment", "given, marks",
)  # fmt: skip
_WORD = re.compile(r"\w+|[^\w\s]+")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One task in one variant."""

    id: str
    kind: str
    language: str
    variant: str
    text: str
    exact: bool
    first_word: bool
    #: Whether what is needed was among what is shown.
    is_found: bool
    #: Until the first draft, and until the end.
    draft_s: float
    seconds: float
    n_context_tokens: int


def read_tasks(path: Path) -> list[ProjectTask]:
    """Read tasks; see `read_rows`."""
    return read_rows(path, ProjectTask, f"no project tasks in {path}")


def main(arguments: argparse.Namespace) -> str:
    """Measure, write the page and return it."""
    tasks = spread(read_tasks(arguments.tasks), arguments.limit)
    variants = arguments.variant or VARIANTS[:4]
    settings = load_settings(flags_of(arguments))
    depends = {"tasks": str(len(tasks)), "tokens": str(settings.max_context_tokens)}
    with session(arguments, Asked, "id", "variant", engine=settings.engine, **depends) as (
        engine,
        machine,
        journal,
    ):
        until = time.monotonic() + (arguments.seconds or math.inf)
        for task in tasks:
            for variant in variants:
                if time.monotonic() < until:
                    journal.once((task.id, variant), partial(ask_for, engine, task, variant))
    asked = [one for one in journal.known.values() if one.variant in variants]
    write_outcomes(arguments.out / "project.json", machine, today(), asked)
    return page(asked, machine, today())


def ask_for(engine: Engine, task: ProjectTask, variant: str) -> Asked:
    """Ask as an editor does: at the beginning of the line, and at the gap."""
    what, _, form = variant.partition(", ")
    requests = [task.before, task.request]
    for index, request in enumerate(requests):
        shown = {"nothing": (), "retrieved": request.context, "given": task.given}[what]
        document = f"{task.id}, {variant}"
        requests[index] = msgspec.structs.replace(
            request, context=shown, context_form=form or "none", document=document
        )
    _, answer = [ask(engine, request) for request in requests]
    text, usage = answer.text.partition("\n")[0].rstrip(), answer.finished.usage
    wanted = task.reference.rstrip()
    return Asked(
        id=task.id,
        kind=task.kind,
        language=task.request.language,
        variant=variant,
        text=text,
        exact=text == wanted,
        first_word=_WORD.findall(text)[:1] == _WORD.findall(wanted)[:1],
        is_found={"nothing": False, "retrieved": task.is_found, "given": True}[what],
        draft_s=usage.context_s,
        seconds=answer.seconds,
        n_context_tokens=usage.n_context_tokens,
    )


def page(asked: Sequence[Asked], machine: dict[str, str], date: str) -> str:
    """Write the page as Markdown: each variant against nothing, over the tasks that both have."""
    found = {one.id for one in asked if one.variant.startswith("retrieved") and one.is_found}
    groups: dict[str, list[Asked]] = {
        "all": list(asked),
        **dict(sorted(grouped(asked, lambda one: f"kind: {one.kind}").items())),
        **dict(sorted(grouped(asked, lambda one: one.language).items())),
        "retrieved holds what is needed": [one for one in asked if one.id in found],
    }
    parts = [f"## {name}\n\n{table(_HEAD, _rows(some))}" for name, some in groups.items() if some]
    what = _NEEDS_OTHERS if any(one.kind != OWN for one in asked) else _NEEDS_NONE
    return (
        "# The project around a line\n\n"
        f"Made by `remask eval project` on {date}; do not edit. {what} *Exact*: all of the rest of "
        "the line is right; *word*: its first word is. *Against nothing*: the difference in points "
        "over the same tasks, with a 95 % interval. *Draft*: median seconds until ghost text's "
        "first draft, in a document that was asked about at the beginning of the line, and that as "
        "a share of what it takes where nothing is shown.\n\n"
        + "\n".join(parts)
        + f"\nMachine: {described(machine)}.\n"
    )


_NEEDS_OTHERS = "Lines whose right answer stands in another file of their package."
_NEEDS_NONE = (
    "Lines of which every name that is wanted stands in their own file, too; shown is what would "
    "be shown there all the same."
)
_HEAD = (
    "shown", "tasks", "exact %", "against nothing", "word %", "against nothing", "draft s", "share",
    "tokens",
)  # fmt: skip


def _rows(asked: Sequence[Asked]) -> list[tuple[str, ...]]:
    by_variant = grouped(asked, lambda one: one.variant)
    nothing = {one.id: one for one in by_variant.get("nothing", ())}
    rows: list[tuple[str, ...]] = []
    for variant, own in sorted(by_variant.items(), key=lambda pair: VARIANTS.index(pair[0])):
        pairs = [(one, nothing[one.id]) for one in own if one.id in nothing]
        shares = [a.draft_s / b.draft_s for a, b in pairs if b.draft_s]
        rows.append(
            (
                variant,
                str(len(own)),
                share(one.exact for one in own).points(),
                _difference([a.exact - b.exact for a, b in pairs]),
                share(one.first_word for one in own).points(),
                _difference([a.first_word - b.first_word for a, b in pairs]),
                f"{statistics.median(one.draft_s for one in own):.2f}",
                f"{statistics.median(shares):.2f}" if shares else "-",
                f"{statistics.median(one.n_context_tokens for one in own):.0f}",
            )
        )
    return rows


def _difference(gains: Sequence[int]) -> str:
    """Return the mean of paired differences, each -1, 0 or 1, in points with its interval."""
    n = len(gains)
    if not n or not any(gains):
        return "-"
    mean = sum(gains) / n
    half = Z * math.sqrt((sum(gain * gain for gain in gains) / n - mean * mean) / n)
    return f"{100 * mean:+.1f} ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})"
