"""`remask eval typing`: one line, asked for after everything that is done in between."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.engines import ENGINES
from model_runtime.engines.scripted import Reply, Script, ScriptedEngine
from model_runtime.evaluation import typing
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.heldout import write_tasks
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.protocol import Finished, InfillRequest

#: Seven lines and then eight, and a line of five characters between them.
ABOVE, BELOW = "".join(f"a = {i}\n" for i in range(7)), "".join(f"\nb = {i}" for i in range(8))
TASK = EvalTask(
    id="t", language="python", prefix=ABOVE, suffix=BELOW, reference="c = 1", single_line=True
)


class Recorded(ScriptedEngine):
    """Says the whole line always; and knows what it was asked."""

    def __init__(self, settings: RuntimeSettings) -> None:
        super().__init__(settings)
        self.requests: list[InfillRequest] = []

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Note the request, and fill it."""
        self.requests.append(request)
        return super().infill(request, listener, cancel)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorded:
    """An engine that answers from a script, for the default model."""
    script = tmp_path / "script.json"
    script.write_bytes(msgspec.json.encode(Script(replies=(Reply(texts=("c = 1",)),))))
    engine = Recorded(RuntimeSettings(script=str(script)))
    monkeypatch.setattr(ENGINES, "load", lambda _name: lambda _settings: engine)
    return engine


def measure(out: Path, *, resume: bool = False) -> str:
    """Run the command over the one line; return its page."""
    write_tasks([TASK], out / "tasks.jsonl.gz")
    settings = dict.fromkeys(RuntimeSettings.__struct_fields__)
    return typing.main(
        argparse.Namespace(
            benchmark="typing",
            out=out,
            tasks=out / "tasks.jsonl.gz",
            limit=None,
            seed=0,
            resume=resume,
            **settings,
        )
    )


@pytest.mark.usefixtures("recorded")
def test_there_is_a_row_for_everything_done(tmp_path: Path) -> None:
    """What the file is too short for, is left out."""
    page = measure(tmp_path)
    done = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")]
    assert done[2:] == [
        *("1 characters typed", "2 characters typed", "4 characters typed"),
        *("1 line put in", "3 lines put in", "6 lines put in"),
        *("cursor 1 down", "cursor 5 down", "cursor 1 up", "cursor 5 up"),
        "all",
    ]
    # It says the whole line, so what was typed of it stands there twice.
    assert "| 1 line put in | 1 | 100.0" in page
    assert "| 1 characters typed | 1 | 0.0" in page


def test_a_cursor_that_moved_was_in_the_same_file(recorded: Recorded, tmp_path: Path) -> None:
    """At the end of so many lines further up or down; then it is where the line is missing."""
    measure(tmp_path)
    moved = [one for one in recorded.requests if one.document.startswith("t, cursor")]
    moved = [one for one in moved if not one.document.endswith("new")]
    for before, after in zip(moved[::2], moved[1::2], strict=True):
        assert before.document == after.document
        assert before.prefix + before.suffix == after.prefix + after.suffix == ABOVE + BELOW
        n_lines = after.prefix.count("\n") - before.prefix.count("\n")
        assert f"{abs(n_lines)} {'down' if n_lines > 0 else 'up'}" in before.document
        assert before.suffix.startswith("\n")


def test_what_was_done_is_not_done_again(recorded: Recorded, tmp_path: Path) -> None:
    """After a stop it goes on where it was; the page is the same."""
    page = measure(tmp_path)
    n_asked = len(recorded.requests)
    assert measure(tmp_path, resume=True) == page
    assert len(recorded.requests) == n_asked + 1  # the warm-up
