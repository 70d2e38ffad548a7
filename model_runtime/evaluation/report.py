"""What evaluations are told as: JSON to keep, a Markdown table and a plot to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.evaluation.metrics import Summary, grouped
from model_runtime.evaluation.plot import draw_plot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

REPORT_NAME = "report.json"
PLOT_NAME = "quality-against-forwards.svg"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One model, with one setting, over one set of tasks."""

    benchmark: str
    #: Runs of one series differ in one setting, and make one line of the plot.
    series: str
    #: What this run is called inside its series, e.g. "threshold=0.9"; may be empty.
    point: str
    #: All that the figures depend on: engine, model, sampler, parameters, seed, number of tasks.
    settings: dict[str, Any]
    #: Where it ran: machine, versions.
    machine: dict[str, str]
    summary: Summary
    by_language: dict[str, Summary]

    @property
    def label(self) -> str:
        """Name the run among others."""
        return f"{self.series} {self.point}".strip()


def write_json(path: Path, figures: object) -> None:
    """Write figures to be read by people, too; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")


def write_report(runs: Sequence[Run], folder: Path) -> None:
    """Write `report.json` and the plot."""
    write_json(folder / REPORT_NAME, list(runs))
    (folder / PLOT_NAME).write_text(plot(runs), encoding="utf-8")


def write_outcomes(
    path: Path, machine: dict[str, str], date: str, outcomes: Iterable[msgspec.Struct]
) -> None:
    """Write the outcomes that a page tells as JSON beside it, each on a line of its own."""
    head = msgspec.json.encode({"machine": machine, "date": date})
    lines = b",\n".join(map(msgspec.json.encode, outcomes))
    path.write_bytes(head[:-1] + b',"outcomes":[\n' + lines + b"\n]}\n")


def read_report(path: Path) -> list[Run]:
    """Read a `report.json`, or the one in a folder.

    Raises:
        BadRequest: there is none, or it is none.
    """
    path = path / REPORT_NAME if path.is_dir() else path
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Run])
    except (OSError, msgspec.DecodeError) as error:
        raise BadRequest(f"{path} is no report: {error}") from error


_COLUMNS: dict[str, Callable[[Summary], str]] = {
    "tasks": lambda one: str(one.n_tasks),
    "pass@1 %": lambda one: one.pass_at_1.points() if one.pass_at_1 else "",
    "exact %": lambda one: one.exact.points(),
    "exact, first line %": lambda one: one.exact_first_line.points(),
    "edit similarity %": lambda one: f"{100 * one.similarity:.1f}",
    "forwards per token": lambda one: f"{one.forwards_per_token:.2f}",
    "s per task": lambda one: f"{one.seconds_mean:.2f}",
    "median s": lambda one: f"{one.seconds_median:.2f}",
    "tokens/s": lambda one: f"{one.tokens_per_second:.1f}",
}


def markdown(runs: Sequence[Run]) -> str:
    """Lay runs out as tables, one a benchmark, and one of exact matches by language."""
    parts = []
    for benchmark, chosen in grouped(runs, lambda run: run.benchmark).items():
        rows = [(run.label, *(show(run.summary) for show in _COLUMNS.values())) for run in chosen]
        parts += [f"### {benchmark}\n", table(("run", *_COLUMNS), rows)]
        languages = sorted({language for run in chosen for language in run.by_language})
        if len(languages) > 1:
            rows = [(run.label, *_by_language(run, languages)) for run in chosen]
            parts += ["Exact match by language:\n", table(("run", *languages), rows)]
    return "\n".join(parts)


def _by_language(run: Run, languages: Sequence[str]) -> Iterable[str]:
    found = map(run.by_language.get, languages)
    return (one.exact.points() if one else "" for one in found)


def plot(runs: Sequence[Run]) -> str:
    """Draw quality against forwards per token, as SVG: pass@1 where all have it, else exact match.

    One line a benchmark and series.
    """
    by_tests = all(run.summary.pass_at_1 is not None for run in runs)
    benchmarks = {run.benchmark for run in runs}
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for run in runs:
        name = f"{run.benchmark}: {run.series}" if len(benchmarks) > 1 else run.series
        quality = (by_tests and run.summary.pass_at_1) or run.summary.exact
        point = run.summary.forwards_per_token, quality.value, run.point
        lines.setdefault(name, []).append(point)
    return draw_plot(
        lines,
        title="Quality against forwards" + (f", {next(iter(benchmarks))}" if runs else ""),
        x_title="forwards per token",
        y_title="pass@1" if by_tests else "exact match",
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]], rule: str = "") -> str:
    """Lay a Markdown table out.

    Args:
        head: names of the columns.
        rows: cells.
        rule: the line below the head, by which columns stand to the left or to the right; only the
            first one to the left where none is given.
    """
    lines = ([str(cell).replace("|", "\\|") for cell in line] for line in (head, *rows))
    first, *others = (f"| {' | '.join(line)} |" for line in lines)
    # A column without a name takes one blank.
    first = first.replace("|  |", "| |")
    rule = rule or f"| {' | '.join(['---', *['---:'] * (len(head) - 1)])} |"
    return "".join(f"{line}\n" for line in (first, rule, *others))
