"""Measures say what their definitions say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.evaluation.base import EvalTask, Fill
from model_runtime.evaluation.metrics import edit_similarity, first_line, judge, rate, summarize

TEXT = st.text("abc \n", max_size=24)


def a_fill(text: str, n_forwards: int = 1, n_tokens: int = 1, seconds: float = 1.0) -> Fill:
    """Make a fill."""
    return Fill(text=text, n_forwards=n_forwards, n_tokens=n_tokens, seconds=seconds)


def a_task(reference: str, *, single_line: bool = False) -> EvalTask:
    """Make a task."""
    return EvalTask(
        id="t",
        language="python",
        prefix="",
        suffix="",
        reference=reference,
        single_line=single_line,
    )


def slow_lcs(a: str, b: str) -> int:
    """Count the longest common subsequence by its recurrence."""
    row = [0] * (len(b) + 1)
    for x in a:
        above, row = row, [0]
        for j, y in enumerate(b):
            row.append(above[j] + 1 if x == y else max(above[j + 1], row[j]))
    return row[-1]


@given(a=TEXT, b=TEXT)
def test_similarity_is_the_share_of_common_characters(a: str, b: str) -> None:
    """Bit by bit or cell by cell, the longest common subsequence is the same."""
    total = len(a) + len(b)
    assert edit_similarity(a, b) == (2 * slow_lcs(a, b) / total if total else 1.0)
    assert edit_similarity(a, b) == edit_similarity(b, a)
    assert (edit_similarity(a, b) == 1.0) == (a == b)


def test_similarity_of_known_pairs() -> None:
    """Some figures by hand."""
    assert edit_similarity("kitten", "sitting") == pytest.approx(8 / 13)
    assert edit_similarity("", "x") == 0.0


@pytest.mark.parametrize(
    ("text", "reference", "single_line", "exact", "exact_first_line"),
    [
        ("x = 1", "x = 1\n", False, True, True),
        ("x = 1\ny = 2", "x = 1\n", False, False, True),
        ("x = 1\ny = 2", "x = 1\n", True, True, True),
        ("  x = 1", "x = 1", False, False, False),
        ("\n    x = 1\n", "\n    x = 1", False, True, True),
        ("\nx = 1", "x = 1", True, False, False),
        ("", "x = 1", True, False, False),
    ],
)
def test_exact_match_ignores_blanks_at_the_end_only(
    text: str, reference: str, *, single_line: bool, exact: bool, exact_first_line: bool
) -> None:
    """Indentation counts, blanks at the end don't, and one line is one line."""
    outcome = judge(a_task(reference, single_line=single_line), a_fill(text), None)
    assert (outcome.exact, outcome.exact_first_line) == (exact, exact_first_line)
    assert exact <= (outcome.similarity == 1.0)


def test_first_line_skips_blank_ones() -> None:
    """A span that starts with a line end has its first line behind it."""
    assert first_line("\n  \n  a = 1  \nb") == "  a = 1"
    assert first_line("\n") == ""


@given(n=st.integers(1, 2000), data=st.data())
def test_interval_holds_its_share(n: int, data: st.DataObject) -> None:
    """The interval is around the share, inside 0 to 1, and narrows with more tasks."""
    hits = data.draw(st.integers(0, n))
    one, ten = rate(hits, n), rate(10 * hits, 10 * n)
    assert 0 <= one.low <= one.value + 1e-12
    assert one.value - 1e-12 <= one.high <= 1
    assert ten.high - ten.low < one.high - one.low


def test_interval_of_a_known_share() -> None:
    """Wilson's interval of 8 in 10 is 49 to 94 %."""
    assert rate(8, 10).low == pytest.approx(0.4902, abs=1e-4)
    assert rate(8, 10).high == pytest.approx(0.9433, abs=1e-4)
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)


def test_summary_adds_up() -> None:
    """Forwards per token are the sums' quotient, not the mean of quotients."""
    outcomes = [
        judge(a_task("a = 1"), a_fill("a = 1", 3, 4, 1.0), "pass"),
        judge(a_task("b = 2"), a_fill("b = 3", 5, 4, 2.0), "fail"),
        judge(a_task("c = 3"), a_fill("c = 3", 1, 10, 6.0), "timeout"),
    ]
    summary = summarize(outcomes)
    assert summary.n_tasks == 3
    assert summary.forwards_per_token == pytest.approx(9 / 18)
    assert summary.pass_at_1 is not None
    assert summary.pass_at_1.value == pytest.approx(1 / 3)
    assert summary.exact.value == pytest.approx(2 / 3)
    assert (summary.seconds_mean, summary.seconds_median) == (3.0, 2.0)
    assert summary.tokens_per_second == pytest.approx(2.0)


def test_pass_at_1_counts_only_what_was_run() -> None:
    """Without a check there is no pass@1, and a summary of nothing is an error."""
    assert summarize([judge(a_task("a"), a_fill("a"), None)]).pass_at_1 is None
    with pytest.raises(ValueError, match="no outcome"):
        summarize([])
