"""`remask stats`: what ghost text was worth on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lsp_server.tally import N_TENTHS, share_right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsp_server.tally import Count, Counts

_HEAD = ("shown", "accepted", "in part", "typed", "passed over", "right")


def tables(counts: Counts) -> Iterator[Table]:
    """Yield what is kept as tables: by language, and by confidence."""
    by_language = sorted(counts.by_language.items(), key=lambda pair: -pair[1].shown)
    rows = [(language or "no language", count) for language, count in by_language]
    yield _table("language", [*rows, ("all", counts.total)])
    tenths = [(str(tenth), _tenth(tenth)) for tenth in reversed(range(N_TENTHS))]
    named = [*tenths, ("", "not told")]
    found = [
        (name, counts.by_confidence[key]) for key, name in named if key in counts.by_confidence
    ]
    yield _table("confidence", found)


def _tenth(tenth: int) -> str:
    return f"{100 * tenth // N_TENTHS}-{100 * (tenth + 1) // N_TENTHS} %"


def _table(title: str, rows: list[tuple[str, Count]]) -> Table:
    table = Table(title, box=None, pad_edge=False)
    for name in _HEAD:
        table.add_column(name, justify="right")
    for name, count in rows:
        ends = (count.shown, count.accepted, count.partly, count.typed, count.passed)
        right = share_right(count)
        told = "" if right is None else f"{right:.0%}"
        table.add_row(name, *map(str, ends), told)
    return table
