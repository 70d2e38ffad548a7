"""`remask eval keyboard`: what ghost text is worth to somebody who types.

Held-out lines are typed at a simulated keyboard (see `typist`), with what Remask makes, with what
the same base makes without Remask's rules of text, and with what llama-cpp-python makes of the same
weights. What is made in full for a place is cut at any confidence afterwards, so one run gives all
settings of eagerness; what stopping early saves is measured apart, with requests that say from
which confidence on they want a text.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import RuntimeFault
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.keyboard_page import BARE, OURS, STOPPED, Measured, page
from model_runtime.evaluation.keyboard_plots import plots
from model_runtime.evaluation.run import describe_machine, engine_of, journal_of, spread
from model_runtime.evaluation.typed import Made, Maker, by_engine, by_llama_cpp
from model_runtime.evaluation.typist import gap_in, line_of
from model_runtime.protocol import LEAST_CONFIDENCE
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse

PAGE_NAME = "keyboard.md"
#: Lines of which what stopping saves is measured, and for which the others make ghost text.
N_FEW = 100
#: Played for the curve.
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main(arguments: argparse.Namespace) -> str:
    """Measure, write report, page and plots, and return the page."""
    tasks = [task for task in read_tasks(arguments.tasks) if task.single_line]
    pairs = [(task, line_of(task)) for task in spread(tasks, arguments.limit)]
    chosen = [(task, line) for task, line in pairs if line is not None]
    settings = load_settings(flags_of(arguments))
    balanced = LEAST_CONFIDENCE["balanced"]
    untouched = {"heal_tokens": "false", "end_early": "false"}
    with (
        engine_of(arguments, "local") as engine,
        engine_of(arguments, "local", **untouched) as bare,
    ):
        # What it runs on is known once it is loaded.
        by_engine(engine, "warm-up", 0.0)(chosen[0][1], 0)
        machine = describe_machine(engine)
        journal = journal_of(arguments, "keyboard", machine, Made, "by", "id", "at")
        measured = Measured(
            machine=machine | {"date": time.strftime("%Y-%m-%d")},
            lines=tuple(line for _, line in chosen),
        )
        ours = Maker(OURS, by_engine(engine, OURS, 0.0), journal)
        stopped = Maker(STOPPED, by_engine(engine, STOPPED, balanced), journal)
        others = [Maker(BARE, by_engine(bare, BARE, 0.0), journal)]
        try:
            others.append(Maker(*by_llama_cpp(settings), journal))
        except RuntimeFault as fault:
            measured.missing.append(str(fault))
        few = set(spread(measured.lines, N_FEW))
        for task, line in chosen:
            # All of a line at once: what is encoded of its file serves every level.
            measured.play(OURS, line, ours, {*LEVELS, *LEAST_CONFIDENCE.values()})
            at = gap_in(line, task)
            measured.requests.append((line, at, ours(line, at)))
            measured.places += ours.places(line)
            if line in few:
                measured.play(STOPPED, line, stopped, (balanced,))
                for maker in others:
                    measured.play(maker.by, line, maker, (0.0,))
    (arguments.out / "keyboard.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(measured.report()), indent=1) + b"\n"
    )
    for file_name, drawing in plots(measured).items():
        (arguments.out / file_name).write_text(drawing, encoding="utf-8")
    return page(measured)
