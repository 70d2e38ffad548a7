"""The table that measurements go into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    value: float
    unit: str
    note: str = ""


def markdown(rows: list[Row], machine: str) -> str:
    """Return the measurements as Markdown, under the machine they were made on."""
    lines = [f"{machine}", "", "| what | median | note |", "|---|---:|---|"]
    lines += [f"| {row.what} | {row.value:,.4g} {row.unit} | {row.note} |" for row in rows]
    return "\n".join(lines)
