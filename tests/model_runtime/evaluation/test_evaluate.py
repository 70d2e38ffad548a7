"""An evaluation asks, judges, keeps and tells; any engine will do."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from model_runtime.__main__ import main
from model_runtime.evaluation.base import Check, EvalTask, Fill, Outcome
from model_runtime.evaluation.heldout import read_tasks, write_tasks
from model_runtime.evaluation.journal import Journal
from model_runtime.evaluation.metrics import summarize
from model_runtime.evaluation.report import Run, markdown, plot, read_report, write_report
from model_runtime.evaluation.run import evaluate, spread

SCRIPT = """
[[replies]]
when = 'def add'
texts = ["    return x + y"]
n_steps = 2

[[replies]]
texts = ["    return 0"]
"""


def a_task(name: str = "add", operator: str = "+") -> EvalTask:
    """Make a task with a check."""
    test = f"def check(candidate):\n    assert candidate(7, 2) == 7 {operator} 2\n"
    return EvalTask(
        id=f"task/{name}",
        language="python",
        prefix=f"def {name}(x, y):\n",
        suffix="",
        reference=f"    return x {operator} y\n",
        single_line=True,
        check=Check(test=test, entry_point=name),
    )


class Parrot:
    """A filler that says the same to everything, and counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[str] = []

    def __call__(self, task: EvalTask, seed: int) -> Fill:
        """Say it."""
        self.asked.append(f"{task.id}@{seed}")
        return Fill(text=self.text, n_forwards=2, n_tokens=4, seconds=0.5)


def a_run(series: str, point: str, text: str, benchmark: str = "two tasks") -> Run:
    """Evaluate a parrot."""
    tasks = [a_task(), a_task("subtract", "-")]
    outcomes = evaluate(tasks, Parrot(text))
    return Run(
        benchmark=benchmark,
        series=series,
        point=point,
        settings={"threshold": 0.5},
        machine={"platform": "here"},
        summary=summarize(outcomes),
        by_language={"python": summarize(outcomes)},
    )


def test_any_filler_is_judged_by_running_its_programs() -> None:
    """The verdict comes from the check, the match from the reference."""
    add, subtract = evaluate([a_task(), a_task("subtract", "-")], Parrot("    return x + y"))
    assert (add.verdict, add.exact) == ("pass", True)
    assert (subtract.verdict, subtract.exact) == ("fail", False)
    (unchecked,) = evaluate([a_task()], Parrot("    return x + y"), run_checks=False)
    assert unchecked.verdict is None


def test_an_evaluation_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """Outcomes that stand in the journal are not asked for again; a half-written one is."""
    tasks = [a_task(name) for name in ("add", "plus", "sum_up")]
    path = tmp_path / "journal.jsonl"
    evaluate(tasks[:2], Parrot("    return x + y"), journal=Journal(path, {"seed": 3}, Outcome))
    path.write_bytes(path.read_bytes()[:-20])

    parrot = Parrot("    return x + y")
    journal = Journal(path, {"seed": 3}, Outcome, resume=True)
    outcomes = evaluate(tasks, parrot, seed=3, journal=journal)
    assert parrot.asked == ["task/plus@3", "task/sum_up@3"]
    assert [outcome.id for outcome in outcomes] == ["task/add", "task/plus", "task/sum_up"]
    assert evaluate(tasks, Parrot("wrong"), journal=journal) == outcomes


@pytest.mark.parametrize(("settings", "resume"), [({"seed": 4}, True), ({"seed": 3}, False)])
def test_a_journal_of_something_else_is_begun_anew(
    tmp_path: Path, settings: dict[str, int], *, resume: bool
) -> None:
    """Outcomes of other settings are never mixed in, nor old ones taken without being asked."""
    path = tmp_path / "journal.jsonl"
    evaluate([a_task()], Parrot("    return 1"), journal=Journal(path, {"seed": 3}, Outcome))
    assert Journal(path, settings, Outcome, resume=resume).known == {}


def test_spread_takes_tasks_from_everywhere() -> None:
    """A few of many tasks stand far apart, in order, and none twice."""
    tasks = [a_task(f"f{i}") for i in range(10)]
    assert [task.id for task in spread(tasks, 4)] == [f"task/f{i}" for i in (0, 2, 5, 7)]
    assert spread(tasks, None) == spread(tasks, 99) == tasks


def test_a_report_reads_back_and_shows_every_run(tmp_path: Path) -> None:
    """What is written is what was measured, and the table has a row for each run."""
    runs = [a_run("canvas", f"threshold={t}", "    return x + y") for t in (0.5, 0.9)]
    write_report(runs, tmp_path)
    assert read_report(tmp_path) == runs
    assert "| canvas threshold=0.9 | 2 | 50.0 (9-91) | 50.0 (9-91) |" in markdown(runs)


def test_a_plot_is_an_image_with_a_line_for_each_series() -> None:
    """Every series has its line and name, every measurement its point."""
    runs = [
        a_run("canvas", "0.5", "    return x - y"),
        a_run("canvas", "0.9", "    return x + y"),
        a_run("base <greedy>", "", "    return x + y"),
    ]
    image = ET.fromstring(plot(runs))  # noqa: S314  our own text
    names = {element.tag.rpartition("}")[2] for element in image}
    assert names == {"rect", "text", "path", "polyline", "circle"}
    texts = {element.text for element in image.iter() if element.text}
    assert {"canvas", "base <greedy>", "pass@1", "forwards per token", "0.9"} <= texts
    assert sum(element.tag.endswith("polyline") for element in image) == 2
    assert sum(element.tag.endswith("circle") for element in image) == 3
    ET.fromstring(plot([]))  # noqa: S314


def test_the_command_measures_sweeps_and_joins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line to the report, with a real engine and real runs of programs."""
    script, tasks = tmp_path / "script.toml", tmp_path / "tasks.gz"
    script.write_text(SCRIPT, encoding="utf-8")
    write_tasks([a_task(), a_task("subtract", "-")], tasks)
    flags = ["--engine", "scripted", "--script", str(script), "--tasks", str(tasks)]
    one, two, both = (str(tmp_path / name) for name in ("one", "two", "both"))
    assert main(["eval", "heldout", *flags, "--out", one, "--sweep", "threshold=0.5,0.9"]) == 0
    assert main(["eval", "heldout", *flags, "--out", two, "--limit", "1", "--series", "few"]) == 0
    assert main(["eval", "join", one, two, "--out", both]) == 0
    runs = read_report(Path(both))
    assert [(run.series, run.point, run.summary.n_tasks) for run in runs] == [
        ("default", "threshold=0.5", 2),
        ("default", "threshold=0.9", 2),
        ("few", "", 1),
    ]
    assert runs[0].settings["params"] == {"threshold": 0.5}
    assert runs[0].summary.pass_at_1 is not None
    assert runs[0].summary.pass_at_1.value == 0.5
    assert runs[0].summary.n_forwards == 3
    assert "| few | 1 | 100.0 (21-100) |" in capsys.readouterr().out
    assert "| few | 1 | 100.0 (21-100) |" in (tmp_path / "both" / "report.md").read_text("utf-8")


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake ends with a sentence and a status, not with a trace."""
    out = ["--out", str(tmp_path), "--engine", "scripted"]
    assert main(["eval", "humaneval", str(tmp_path / "none.gz"), *out]) == 1
    assert "none.gz is no HumanEval-Infilling file" in capsys.readouterr().err
    assert main(["eval", "heldout", *out, "--set", "threshold"]) == 1
    assert "'threshold' is not of the form NAME=VALUE" in capsys.readouterr().err
    assert main(["eval", "join", str(tmp_path), *out[:2]]) == 1
    assert "is no report" in capsys.readouterr().err


def test_shipped_tasks_can_be_asked(tmp_path: Path) -> None:
    """The held-out tasks go through an engine without a flag."""
    out = str(tmp_path / "out")
    assert main(["eval", "heldout", "--engine", "scripted", "--out", out, "--limit", "9"]) == 0
    (run,) = read_report(Path(out))
    assert run.summary.n_tasks == 9 < len(read_tasks())
    assert run.summary.pass_at_1 is None
