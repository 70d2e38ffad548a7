"""`remask eval rules`: every decoding rule on the default model, over the same held-out lines.

The rules are those that the folder `samplers/` has, each with its own defaults, and a few settings
beside them that papers are known for. Outcomes are kept as they come: with `--resume` what is there
is not measured again, and the page is made of what has been measured so far.
"""

from __future__ import annotations

import logging
import os
import platform
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.base import Outcome
from model_runtime.evaluation.heldout import read_lines
from model_runtime.evaluation.metrics import Summary, summarize
from model_runtime.evaluation.report import table
from model_runtime.evaluation.run import (
    describe_machine,
    described,
    engine_of,
    evaluate,
    filler_of,
    journal_of,
    spread,
    today,
)
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    import argparse

log = logging.getLogger(__name__)

PAGE_NAME = "decoding-rules.md"
MEASURED_NAME = "rules.json"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A sampler and what of it is set."""

    sampler: str
    params: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """Name the rule among others."""
        return " ".join([self.sampler, *(f"{key}={value}" for key, value in self.params.items())])


#: What papers are known for and the rules' own defaults do not show.
SETTINGS = (
    # Fast-dLLM (arXiv 2505.22618), section 3.3.
    Rule(sampler="low_confidence", params={"threshold": 0.9}),
    # Dream's README.
    Rule(sampler="entropy", params={"temperature": 0.2, "top_p": 0.95}),
    Rule(sampler="score_entropy", params={"temperature": 0.0, "entropy_budget": 1.0}),
)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's figures."""

    rule: Rule
    #: First line of the sampler's documentation.
    does: str
    summary: Summary


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page is made of."""

    machine: dict[str, str]
    date: str
    n_tasks: int
    n_bare: int
    seed: int
    measured: tuple[Measured, ...]


def rules() -> list[Rule]:
    """Return every registered rule with its defaults, each followed by its other settings."""
    return [
        rule
        for name in SAMPLERS.names()
        for rule in (Rule(sampler=name), *(one for one in SETTINGS if one.sampler == name))
    ]


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write and return the page."""
    for name in arguments.rule or ():
        SAMPLERS.check(name)
    wanted = [rule for rule in rules() if not arguments.rule or rule.sampler in arguments.rule]
    # Several lines would take a rule that settles a token a forward most of a minute each.
    tasks = spread(read_lines(arguments.tasks), arguments.limit)
    measured: list[Measured] = []
    words = ""
    with engine_of(arguments, "local") as engine:
        machine = describe_machine(engine)
        for rule in wanted:
            log.info("%s", rule.label)
            filler = filler_of(engine, sampler=rule.sampler, params=rule.params)
            depends = msgspec.to_builtins(rule) | {"seed": arguments.seed} | machine
            journal = journal_of(arguments, rule.label, depends, Outcome)
            summary = summarize(evaluate(tasks, filler, seed=arguments.seed, journal=journal))
            measured.append(Measured(rule=rule, does=_does(rule.sampler), summary=summary))
            page = Page(
                machine=machine | {"cores": str(os.cpu_count()), "processor": platform.machine()},
                date=today(),
                n_tasks=len(tasks),
                n_bare=len(rules()) - len(measured),
                seed=arguments.seed,
                measured=tuple(measured),
            )
            # After every rule: a run that is cut off leaves what it has measured.
            words = render(page)
            (arguments.out / MEASURED_NAME).write_bytes(msgspec.json.encode(page) + b"\n")
            (arguments.out / PAGE_NAME).write_text(words, encoding="utf-8")
    return words


def render(page: Page) -> str:
    """Write the page as Markdown."""
    head = ("rule", "exact %", "edit similarity %", "forwards per token", "s per task")
    rows = [
        (
            f"`{one.rule.label}`",
            one.summary.exact.points(0),
            f"{100 * one.summary.similarity:.1f}",
            f"{one.summary.forwards_per_token:.2f}",
            f"{one.summary.seconds_mean:.2f}",
        )
        for one in page.measured
    ]
    missing = f"\n{page.n_bare} more rows have not been measured yet.\n" if page.n_bare else ""
    does = {one.rule.sampler: one.does for one in page.measured}
    return (
        "# Decoding rules on the default model\n\n"
        f"Made by `remask eval rules --out FOLDER --seed {page.seed} --limit {page.n_tasks}` on "
        f"{page.date}; do not edit.\n\n"
        f"The same {page.n_tasks} held-out lines and parts of lines for every rule, in nine "
        "languages, with the rule's own defaults unless the row says otherwise: 64 masks, settled "
        "in blocks of 16. *Exact* is the share of fills that are the text that stood "
        "there; *forwards per token* counts all evaluations of the model, the context's included. "
        "The default model was trained as a masked model, so rules that want a score get it from "
        "the identity score = p(x0) e^-sigma / (1 - e^-sigma).\n\n"
        f"{table(head, rows)}{missing}\n"
        f"Machine: {described(page.machine)}.\n\n"
        "Not measured here: the published models that these rules come from (only small random "
        "checkpoints of them have been run); more than one seed, so rules that draw at random "
        "have their luck in these figures; and seconds on an idle machine, unless nothing else ran "
        "on it.\n\n"
        "## What each rule does\n\n"
        + "".join(f"- `{name}`: {what}\n" for name, what in does.items())
    )


def _does(name: str) -> str:
    """Return the first paragraph of a sampler's module, on one line."""
    words = import_module(SAMPLERS.load(name).__module__).__doc__ or ""
    return " ".join(words.split("\n\n")[0].split())
