"""`remask eval rules`: every registered rule, one row each, on a small model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest
from support import tiny_canvas

from model_runtime.engines import ENGINES
from model_runtime.errors import UnknownName
from model_runtime.evaluation import rules
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.heldout import write_tasks
from model_runtime.samplers import SAMPLERS
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """The command over one task, with the small model for the default one."""
    monkeypatch.setattr(ENGINES, "load", lambda _name: lambda _settings: tiny_canvas.engine())
    tasks = tmp_path / "tasks.jsonl.gz"
    write_tasks(
        [EvalTask(id="t", language="python", prefix="x = ", suffix="\n", reference="1",
                  single_line=True)],
        tasks,
    )  # fmt: skip
    return Measure(tmp_path / "out", tasks)


class Measure:
    """Runs the command."""

    def __init__(self, out: Path, tasks: Path) -> None:
        self.out = out
        self._tasks = tasks

    def __call__(self, only: Sequence[str] = (), *, resume: bool = False) -> str:
        """Return the page."""
        settings = dict.fromkeys(RuntimeSettings.__struct_fields__)
        return rules.main(
            argparse.Namespace(
                out=self.out, tasks=self._tasks, limit=None, seed=0, rule=list(only),
                resume=resume, **settings,
            )
        )  # fmt: skip


def test_every_rule_has_a_row(measure: Measure) -> None:
    """The rows are the folder's rules and a few settings; the page is what was written."""
    page = measure()

    for rule in rules.rules():
        assert f"| `{rule.label}` |" in page
    assert {rule.sampler for rule in rules.rules()} == set(SAMPLERS.names())
    assert "not been measured yet" not in page
    assert (measure.out / rules.PAGE_NAME).read_text(encoding="utf-8") == page


def test_what_was_measured_is_not_measured_again(measure: Measure) -> None:
    """A run that was cut off goes on with the rules that it has not come to."""
    first = measure(["hybrid"], resume=True)
    assert "more rows have not been measured yet" in first
    assert "| `hybrid` | 0 (" in first
    kept = measure.out / "hybrid.jsonl"
    kept.write_text(kept.read_text(encoding="utf-8").replace('"exact":false', '"exact":true'))

    assert "| `hybrid` | 100 (" in measure(["hybrid", "p2"], resume=True)
    assert "| `hybrid` | 0 (" in measure(["hybrid"])


def test_an_unknown_rule_is_refused(measure: Measure) -> None:
    """Before the model is loaded, with the names there are."""
    with pytest.raises(UnknownName, match="low_confidence"):
        measure(["greedy"])
