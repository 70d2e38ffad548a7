"""`remask eval keyboard`: what ghost text is worth to somebody who types.

Held-out lines are typed at a simulated keyboard (see `typist`), with what Remask makes, with what
the same base makes without Remask's rules of text, and with what llama-cpp-python makes of the same
weights. What is made in full for a place is cut at any confidence afterwards, so one run gives all
settings of eagerness; what stopping early saves is measured apart, with requests that say from
which confidence on they want a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.errors import RuntimeFault
from model_runtime.evaluation.heldout import read_lines
from model_runtime.evaluation.keyboard_page import (
    BALANCED,
    BARE,
    CURVE_NAME,
    OURS,
    RELIABILITY_NAME,
    STOPPED,
    Measured,
    n_saved,
    n_wrong,
    page,
)
from model_runtime.evaluation.plot import draw_plot
from model_runtime.evaluation.report import write_json
from model_runtime.evaluation.run import engine_of, session, spread, today
from model_runtime.evaluation.typed import Made, Maker, by_engine, by_llama_cpp
from model_runtime.evaluation.typist import gap_in, line_of, total
from model_runtime.protocol import LEAST_CONFIDENCE
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse

#: Lines of which what stopping saves is measured, and for which the others make ghost text.
N_FEW = 100
#: Played for the curve.
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main(arguments: argparse.Namespace) -> str:
    """Measure, write report, page and plots, and return the page."""
    tasks = spread(read_lines(arguments.tasks), arguments.limit)
    chosen = [(task, line) for task in tasks if (line := line_of(task))]
    untouched = {"heal_tokens": "false", "end_early": "false"}
    with (
        session(arguments, Made, "by", "id", "at") as (engine, machine, journal),
        engine_of(arguments, "local", **untouched) as bare,
    ):
        lines = tuple(line for _, line in chosen)
        measured = Measured(machine=machine | {"date": today()}, lines=lines)
        ours = Maker(OURS, by_engine(engine, OURS, 0.0), journal)
        stopped = Maker(STOPPED, by_engine(engine, STOPPED, BALANCED), journal)
        others = [Maker(BARE, by_engine(bare, BARE, 0.0), journal)]
        try:
            others.append(Maker(*by_llama_cpp(load_settings(flags_of(arguments))), journal))
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
                measured.play(STOPPED, line, stopped, (BALANCED,))
                for maker in others:
                    measured.play(maker.by, line, maker, (0.0,))
    write_json(arguments.out / "keyboard.json", measured.report())
    for file_name, drawing in plots(measured).items():
        (arguments.out / file_name).write_text(drawing, encoding="utf-8")
    return page(measured)


def plots(measured: Measured) -> dict[str, str]:
    """Draw keys saved against wrong suggestions, and what was said against what was true."""
    curves: dict[str, list[tuple[float, float, str]]] = {}
    for (name, level), lines in measured.played.items():
        if name != STOPPED:
            played = total(whole for _, whole, _ in lines)
            label = f"{level:g}" if name == OURS else ""
            curves.setdefault(name, []).append((n_wrong(played), n_saved(played), label))
    fifths = [(100 * said, 100 * true, "") for said, true, _ in measured.fifths()]
    return {
        CURVE_NAME: draw_plot(
            curves,
            title="Keys saved against wrong suggestions, by confidence",
            x_title="wrong suggestions per 100 characters",
            y_title="% of the keys saved",
        ),
        RELIABILITY_NAME: draw_plot(
            {"suggestions, in fifths": fifths, "said is true": [(0, 0, ""), (100, 100, "")]},
            title="Confidence and truth",
            x_title="confidence, %",
            y_title="right, %",
        ),
    }
