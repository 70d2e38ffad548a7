"""The benchmark's report: JSON and back, Markdown, plots."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.bench.base import Table, at_each, tail
from model_runtime.bench.machine import describe_machine
from model_runtime.bench.report import Report, markdown, show, write_report
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.bench.base import Cell

FILLS = Table(
    part="fills",
    title="Fills",
    says="What a fill takes.",
    rows=tuple(
        {
            "tokens of context": 250,
            "decoder": name,
            "tokens": n_tokens,
            "again s": n_tokens / 20,
            "new s": None,
        }
        for name in ("hybrid", "one | token")
        for n_tokens in (8, 64)
    ),
)
FORWARDS = Table(
    part="forwards",
    title="Forwards",
    says="",
    rows=({"tokens of context": 250, "rows": 1, "ms": 30.25, "times one row": 1.0},),
    notes=("Half of it.",),
)


def report_of(*tables: Table, **machine: str) -> Report:
    """Return a report of tables."""
    return Report(
        command="remask bench --repeat 2",
        date="2026-01-02",
        machine={"processor": "abacus", **machine},
        tables=tables,
        left_out=("memory",),
    )


def test_json_comes_back(tmp_path: Path) -> None:
    """What was written is read again, digit by digit."""
    report = report_of(FILLS, FORWARDS)
    write_report(report, tmp_path / "deep" / "benchmark")
    kept = (tmp_path / "deep" / "benchmark.json").read_bytes()
    assert msgspec.json.decode(kept, type=Report) == report


def test_page_says_how_it_was_made(tmp_path: Path) -> None:
    """The page has the command, the machine, every table and note, and shows its plots."""
    write_report(report_of(FILLS, FORWARDS), tmp_path / "benchmark")
    page = (tmp_path / "benchmark.md").read_text()
    assert "    remask bench --repeat 2\n" in page
    assert "- processor: abacus\n" in page
    assert "## Fills\n\nWhat a fill takes.\n\n| tokens of context |" in page
    assert "| 250 | one \\| token | 64 | 3.20 | - |" in page
    assert "Half of it." in page
    for name in ("benchmark.svg", "benchmark-forwards.svg"):
        assert f"![{name}]({name})" in page
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")  # noqa: S314  # ours
    assert "\n\n\n" not in page


def test_page_without_data_has_no_plots(tmp_path: Path) -> None:
    """A part that could not be measured leaves its note and no empty plot."""
    write_report(
        report_of(Table(part="fills", title="Fills", says="", notes=("No.",))), tmp_path / "b"
    )
    assert "No." in (tmp_path / "b.md").read_text()
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize(
    ("machine", "told", "untold"),
    [
        ({"device": "cpu, int7", "instructions": "avx2"}, ["CUDA", "this processor has none"], []),
        (
            {"device": "cuda:0, bf16", "instructions": "avx512_vnni"},
            ["Processors without"],
            ["CUDA"],
        ),
    ],
)
def test_page_says_what_was_not_measured(
    machine: dict[str, str], told: list[str], untold: list[str]
) -> None:
    """What this machine can't show is named, and so are the parts that were left out."""
    words = markdown(report_of(**machine)).partition("## Not measured")[2]
    assert "left out: memory" in words
    assert all(word in words for word in told)
    assert not any(word in words for word in untold)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (None, "-"),
        ("word", "word"),
        (12345, "12,345"),
        (1234.5, "1,234"),
        (45.67, "45.7"),
        (4.567, "4.57"),
        (0.04567, "0.046"),
    ],
)
def test_cells_have_as_many_digits_as_mean_something(cell: Cell, shown: str) -> None:
    """Numbers are shown short."""
    assert show(cell) == shown


def test_tail_is_a_value_that_was_measured() -> None:
    """Of a hundred values the tail is the 96th, of few the largest."""
    assert tail(list(range(100))) == 95
    assert tail([3.0, 1.0, 2.0]) == 3.0


def test_long_contexts_get_fewer_gaps() -> None:
    """What takes long is repeated less often, and at least once."""
    assert [at_each(n_context, 8) for n_context in (250, 1000, 4000)] == [8, 2, 1]


def test_machine_is_described() -> None:
    """The report knows the processor, its cores and the versions of what ran."""
    machine = describe_machine(RuntimeSettings(), "cpu, int8, 2 threads")
    assert machine["device"] == "cpu, int8, 2 threads"
    assert int(machine["cores"]) >= 1
    assert machine["processor"]
    assert machine["torch"].count(".") >= 2
