"""The stages after the plain fill, measured with engines whose answers are known."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from model_runtime.__main__ import main
from model_runtime.engines import ENGINES
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.correction import (
    STAGES,
    EditorFiller,
    Stage,
    corrected,
    fault_line,
    parses,
)
from model_runtime.evaluation.metrics import judge
from model_runtime.evaluation.modes import Filled, Repaired
from model_runtime.evaluation.self_correction import Measured, of_other_benchmarks, page
from model_runtime.protocol import Alternative, Finished, Usage
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.engines.base import CancelToken, EngineDescription, Listener
    from model_runtime.evaluation.base import Verdict
    from model_runtime.protocol import InfillRequest

TASK = EvalTask(
    id="t",
    language="python",
    prefix="def f(a):\n",
    suffix="    return a\n",
    reference="    a += 1\n    a += 2\n",
)
LOOP = Stage("loop", n_rounds=2)


class Listing:
    """An engine that gives one list of texts after the other, and keeps what it was asked."""

    name: ClassVar[str] = "listing"

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[InfillRequest] = []

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Answer with the next list."""
        del listener, cancel
        self.asked.append(request)
        found = tuple(Alternative(texts=(text,)) for text in self.answers.pop(0))
        usage = Usage(n_forwards=2, n_tokens=3)
        return Finished(
            id=request.id, alternatives=found, model="", sampler="", seed=0, usage=usage
        )

    def describe(self) -> EngineDescription:
        """Nothing asks."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to give back."""


def test_a_fill_that_parses_is_taken_at_once() -> None:
    """Nothing is asked again."""
    engine = Listing(["    a += 3\n"])
    fill = EditorFiller(engine, LOOP)(TASK, 0)
    assert (fill.text, fill.n_forwards, fill.n_tokens) == ("    a += 3\n", 2, 3)


def test_of_alternatives_the_first_that_parses_is_taken() -> None:
    """The engine's order counts among those."""
    engine = Listing(["    a +=\n", "    b = 1\n", "    c = 1\n"])
    ranked = Stage("4 alternatives", n_alternatives=4, best_only=True)
    assert EditorFiller(engine, ranked)(TASK, 0).text == "    b = 1\n"
    assert (engine.asked[0].n_alternatives, engine.asked[0].best_only) == (4, True)


def test_the_faulty_line_is_asked_for_again_and_then_the_span() -> None:
    """The rest of the fill stands meanwhile; every forward is counted."""
    engine = Listing(["    a += 1\n    b = (\n"], ["d ="], ["    e = 1\n"])
    fill = EditorFiller(engine, LOOP)(TASK, 0)
    first, second, third = engine.asked
    assert second.prefix == first.prefix + "    a += 1\n    "
    assert second.suffix == "\n" + first.suffix
    assert (third.prefix, third.suffix) == (first.prefix, first.suffix)
    assert (fill.text, fill.n_forwards) == ("    e = 1\n", 6)


def test_a_fill_that_no_round_mends_stays() -> None:
    """After so many rounds the first one is as good as any."""
    engine = Listing(["    a = (\n"], ["("], ["    ("])
    assert EditorFiller(engine, LOOP)(TASK, 0).text == "    a = (\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [("    a = (\n", "a = ("), ("    x = 1\n  y\n", "y"), ("    if a:\n", "if a:"), ("", "")],
)
def test_a_fault_is_put_down_to_a_line_of_the_fill(text: str, line: str) -> None:
    """Also where it shows only behind the fill."""
    start, end = fault_line(TASK, text)
    assert text[start:end] == line


def test_a_line_keeps_its_end_in_the_file_but_for_the_bare_base() -> None:
    """As in an editor; the benchmark takes it out with the line."""
    line = EvalTask(
        id="l", language="python", prefix="def f(a):\n", suffix="", reference="    return a\n",
        single_line=True,
    )  # fmt: skip
    for stage in STAGES:
        engine = Listing(["    return a"])
        EditorFiller(engine, stage)(line, 0)
        assert engine.asked[0].suffix == ("\n" if stage.keeps_line_end else "")
    assert not STAGES[0].keeps_line_end


def test_only_files_that_parsed_can_be_broken() -> None:
    """Of two broken fills one stood in a file that was broken before."""
    broken = EvalTask(
        id="b", language="python", prefix="def f(:\n", suffix="", reference="    pass\n"
    )
    tasks = [TASK, broken]
    filler = EditorFiller(Listing(["    ("], ["    ("]), Stage("plain"))
    outcomes = [judge(task, filler(task, 0), None) for task in tasks]
    assert not parses(TASK, "    (")
    assert corrected("b", Stage("plain"), tasks, outcomes).broken.value == 1
    assert corrected("b", Stage("plain"), tasks[:1], outcomes[:1]).summary.n_tasks == 1


def test_a_stage_is_compared_with_the_first_task_by_task() -> None:
    """Two that fail now and passed, one the other way round."""
    filler = EditorFiller(Listing(*[["    a = 1\n"]] * 4), Stage("plain"))
    fills = [filler(TASK, 0) for _ in range(4)]
    verdicts: list[tuple[Verdict, Verdict]] = [
        ("pass", "fail"), ("pass", "fail"), ("fail", "pass"), ("pass", "pass"),
    ]  # fmt: skip
    first = [judge(TASK, fill, then) for fill, (then, _) in zip(fills, verdicts, strict=True)]
    now = [judge(TASK, fill, verdict) for fill, (_, verdict) in zip(fills, verdicts, strict=True)]
    found = corrected("b", Stage("plain"), [TASK] * 4, now, first)
    assert (found.n_won, found.n_lost) == (1, 2)


def test_benchmarks_can_be_measured_apart() -> None:
    """What was measured on another one stays; on the same one it is replaced."""
    outcome = judge(TASK, EditorFiller(Listing(["    a = 1\n"]), Stage("plain"))(TASK, 0), "pass")
    lines, spans = (corrected(name, Stage("plain"), [TASK], [outcome]) for name in ("l", "s"))
    assert list(of_other_benchmarks([lines, spans], [spans])) == [lines]


def test_the_page_tells_of_what_was_measured() -> None:
    """Each part where it is there, faults of all kinds together as well."""
    outcome = judge(TASK, EditorFiller(Listing(["    a = 1\n"]), Stage("plain"))(TASK, 0), "pass")
    repaired = Repaired(
        id="r", kind="name", asked="a", got="b", exact=True, passes=True, seconds=1.0
    )
    filled = Filled(
        id="h", mode="jointly", texts=("a",), references=("a",), exact=True, passes=True,
        seconds=1.0,
    )  # fmt: skip
    whole = page(
        Measured(
            fills=(corrected("bench", Stage("plain"), [TASK], [outcome]),),
            repairs=(repaired,),
            holes=(filled,),
            machine={"python": "3"},
            date="today",
        )
    )
    for words in (
        "| plain | 1 | 100.0%",
        "| all faults | 1 |",
        "| jointly | 1 |",
        "today, python 3",
    ):
        assert words in whole
    assert "## Repair" not in page(Measured())


def test_every_part_is_measured_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage of single lines has its row; what was kept makes the same page."""
    script, file = tmp_path / "script.json", tmp_path / "lines.jsonl.gz"
    script.write_text('{"replies": [{"texts": ["    return x + y"]}]}')
    engine = ScriptedEngine(RuntimeSettings(script=str(script)))
    monkeypatch.setattr(ENGINES, "load", lambda _name: lambda _settings: engine)
    row = {
        "task_id": "SingleLineInfilling/HumanEval/53/L0", "entry_point": "add", "suffix": "",
        "prompt": "def add(x, y):\n", "canonical_solution": "    return x + y\n",
        "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    }  # fmt: skip
    file.write_bytes(gzip.compress(msgspec.json.encode(row)))
    words = ["eval", "self-correction", str(file), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    written = (tmp_path / "out" / "self-correction.md").read_text("utf-8")
    for stage in STAGES:
        assert (f"| {stage.name} | 1 | 100.0%" in written) == stage.is_for_lines
    assert "| clean | 1 |" in written
    assert main([*words, "--resume"]) == 0
    assert (tmp_path / "out" / "self-correction.md").read_text("utf-8") == written
