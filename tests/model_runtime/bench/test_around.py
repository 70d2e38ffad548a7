"""What a fill costs a family that sees the whole file, in forwards and rows."""

from __future__ import annotations

import pytest

from model_runtime.bench import around

N_TOKENS = len(around.LINE)


@pytest.mark.parametrize("unsure", around.UNSURE)
def test_a_line_that_grows_costs_little_more_than_its_own_rows(unsure: int) -> None:
    """A forward for two tokens or more, none of them twice, and none but the first of the file."""
    first, *rows = around.fill_here(around.dreamon(unsure))
    assert N_TOKENS == 16
    assert first >= around.N_AROUND
    assert (1 + len(rows)) / N_TOKENS <= 0.6
    assert max(rows) <= 80


@pytest.mark.parametrize("unsure", around.UNSURE)
def test_a_length_search_shares_what_stands_around(unsure: int) -> None:
    """The file is computed once, and for all candidates their own rows alone."""
    rows = around.fill_here(around.llada(unsure))
    before = around.fill_llada_plainly(around.llada(unsure), "dual")
    assert sum(rows) <= 0.4 * sum(before)
    assert sum(one >= around.N_AROUND // 2 for one in rows) == 1


def test_every_way_is_shown_beside_a_plain_loop() -> None:
    """In one table, with the same line."""
    (table,) = around.measure(None)  # type: ignore[arg-type]  # nothing of it is read
    ways = {(row["shape"], row["way"]) for row in table.rows}
    assert {way for _, way in ways} >= {"plain loop", "here"}
    for row in table.rows:
        if row["way"] == "here":
            assert float(row["rows, of the plain loop's"] or 1) < 0.1
