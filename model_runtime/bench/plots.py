"""Plots of what was measured, by the names of the tables' columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.evaluation.plot import Series, draw_plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.bench.base import Row, Table


def draw_plots(tables: Sequence[Table]) -> dict[str, str]:
    """Return SVGs by what their file's name gets behind the report's; none where there is no data.

    The first one is "", the fills.
    """
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


def _series(rows: Sequence[Row], name: str, x: str, y: str) -> list[Series]:
    return [
        Series(
            name=str(each),
            points=[
                (float(row[x] or 0), float(row[y] or 0), "") for row in rows if row[name] == each
            ],
        )
        for each in dict.fromkeys(row[name] for row in rows)
    ]
