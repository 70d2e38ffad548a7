"""The report: what was measured on which machine by which command, as JSON, Markdown and plots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.base import Table
from model_runtime.evaluation.metrics import grouped
from model_runtime.evaluation.plot import draw_plot
from model_runtime.evaluation.report import table, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model_runtime.bench.base import Cell, Row
    from model_runtime.evaluation.plot import Points

_HEAD = """# Benchmark

Made by

    {command}

on {date}; do not edit. Figures are medians of turns taken in one run; on a machine that others use
too, believe the ratios and not the seconds.
"""
#: What no run of this command measures.
_NEVER = (
    "Energy.",
    "Quality: `remask eval` measures that.",
    "Other models than the one named above.",
)
_WITHOUT_CUDA = "CUDA: bf16, flash-attn, CUDA graphs and batches on a GPU."
_WITHOUT_DOT_PRODUCTS = "8-bit dot products (VNNI, AMX): this processor has none."
_WITH_DOT_PRODUCTS = "Processors without 8-bit dot products."


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run has measured."""

    command: str
    date: str
    #: What was measured on: name to value.
    machine: dict[str, str]
    tables: tuple[Table, ...]
    #: Parts that were not asked for.
    left_out: tuple[str, ...] = ()


def write_report(report: Report, place: Path) -> None:
    """Write a report beside `place`: .json, .md, and a .svg for each plot there is."""
    write_json(place.with_name(f"{place.name}.json"), report)
    plots = {
        place.with_name(f"{place.name}{ending}.svg").name: plot
        for ending, plot in draw_plots(report.tables).items()
    }
    for name, plot in plots.items():
        place.with_name(name).write_text(plot, encoding="utf-8")
    words = markdown(report, tuple(plots))
    place.with_name(f"{place.name}.md").write_text(words, encoding="utf-8")


def markdown(report: Report, plots: Sequence[str] = ()) -> str:
    """Return the report as Markdown.

    Args:
        report: what was measured.
        plots: names of files to show.
    """
    parts = [_HEAD.format(command=report.command, date=report.date)]
    parts.append("\n## Machine\n\n")
    parts += [f"- {name}: {value}\n" for name, value in report.machine.items()]
    for one in report.tables:
        parts.append(f"\n## {one.title}\n\n{one.says}\n")
        if one.rows:
            parts.append("\n" + _lay_out(one.rows))
        parts += [f"\n{note}\n" for note in one.notes]
    if plots:
        parts.append("\n## Plots\n")
        parts += [f"\n![{name}]({name})\n" for name in plots]
    parts.append("\n## Not measured\n\n")
    parts += [f"- {words}\n" for words in _not_measured(report)]
    return _one_blank_line("".join(parts))


def _not_measured(report: Report) -> list[str]:
    flags = report.machine.get("instructions", "")
    words = [] if "cuda" in report.machine.get("device", "") else [_WITHOUT_CUDA]
    words.append(
        _WITH_DOT_PRODUCTS if re.search("vnni|amx|dotprod", flags) else _WITHOUT_DOT_PRODUCTS
    )
    if report.left_out:
        words.append(f"Parts that this run left out: {', '.join(report.left_out)}.")
    return [*words, *_NEVER]


def _lay_out(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table; columns of words to the left."""
    columns = list(rows[0])
    rules = ["---" if isinstance(rows[0][column], str) else "---:" for column in columns]
    cells = [[show(row.get(column)) for column in columns] for row in rows]
    return table(columns, cells, f"| {' | '.join(rules)} |")


def show(cell: Cell) -> str:
    """Show a cell: three digits of a number, or all of those before its point."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2 if abs(cell) >= 1 else 3  # noqa: PLR2004  # powers of ten
    return f"{cell:,.{digits}f}"


def _one_blank_line(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def draw_plots(tables: Sequence[Table]) -> dict[str, str]:
    """Return SVGs by what their file's name gets behind the report's: the fills, and forwards."""
    plots = {}
    fills = _rows(tables, "decoder")
    if fills:
        # The first context stands for all: what differs is the encoding, the same for everyone.
        shown = fills[0]["tokens of context"]
        fills = [row for row in fills if row["tokens of context"] == shown]
        plots[""] = draw_plot(
            _series(fills, "decoder", "tokens", "again s"),
            title=f"A fill behind {shown} tokens of cached context",
            x_title="tokens filled",
            y_title="seconds",
        )
    forwards = _rows(tables, "times one row")
    if forwards:
        plots["-forwards"] = draw_plot(
            _series(forwards, "tokens of context", "rows", "ms"),
            title="A forward, by the tokens of context before it",
            x_title="rows",
            y_title="ms",
        )
    return plots


def _rows(tables: Sequence[Table], column: str) -> list[Row]:
    """Return the rows of the table that has a column."""
    return [row for table in tables for row in table.rows if column in row]


def _series(rows: Sequence[Row], name: str, x: str, y: str) -> dict[str, Points]:
    return {
        each: [(float(row[x] or 0), float(row[y] or 0), "") for row in own]
        for each, own in grouped(rows, lambda row: str(row[name])).items()
    }
