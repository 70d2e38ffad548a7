"""What an evaluation of next edits says."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec
import pytest
from support.tiny_canvas import engine

from model_runtime.errors import BadRequest
from model_runtime.evaluation.next_edit import Asked, Judged, ask, fit, page, read_tasks
from model_runtime.modes.wanted import NAMES
from model_runtime.protocol import Change, Group, NextEditRequest, Place
from model_runtime.protocol.eval_tasks import NextEditTask

if TYPE_CHECKING:
    from pathlib import Path

TASK = NextEditTask(
    id="rename/a",
    kind="rename local",
    source="a 1 (MIT)",
    request=NextEditRequest(
        id="",
        language="python",
        text="bb = 1\na + a\na\n",
        changes=(Change(start=0, old="a", new="bb"),),
        groups=(
            Group(
                places=tuple(Place(start=i, end=i + 1, text="bb") for i in (7, 11)),
                is_bound=True,
            ),
            Group(places=(Place(start=13, end=14, text="bb"),)),
        ),
    ),
    wanted=((7, 8, "bb"), (11, 12, "bb")),
)  # fmt: skip


def judged(score: float, n_right: int, n_places: int = 2) -> Judged:
    """Return a group; its confidence rises with the score."""
    features = tuple(score if name == "due" else 0.0 for name in NAMES)
    spans = tuple((2 * at, 2 * at + 1) for at in range(n_places))
    return Judged(
        spans=spans, n_places=n_places, n_right=n_right, gain=0.0, due=score, features=features
    )


def asked(name: str, kind: str, n_wanted: int, *groups: Judged) -> Asked:
    """Return what came of a task."""
    return Asked(
        id=name, kind=kind, language="go", n_wanted=n_wanted, groups=groups,
        seconds=0.1, processor_s=0.1, n_rows=9, n_forwards=2,
    )  # fmt: skip


def test_every_group_is_judged_and_told_right_from_wrong() -> None:
    """By the places that are wanted."""
    found = ask(engine(), TASK)
    assert sorted((group.n_places, group.n_right) for group in found.groups) == [(1, 0), (2, 2)]
    assert found.n_wanted == 2


def test_the_page_counts_what_is_offered_from_a_confidence_on() -> None:
    """Found, right and quiet."""
    words = page(
        [
            asked("1", "rename local", 2, judged(900, 2)),
            asked("2", "rename local", 2, judged(-900, 2)),
            asked("3", "silence literal", 0, judged(900, 0, 1)),
            asked("4", "silence literal", 0, judged(-900, 0, 1)),
        ],
        {},
        "2026-12-01",
    )
    rename, silence = words.split("## silence, 2 tasks")
    assert "| 0.5 | 2 | 50.0 (15-85) | 100.0 (34-100) | - |" in rename
    assert "| 0.5 | 2 | - | 0.0 (0-79) | 50.0 (9-91) |" in silence.split("## By")[0]


def test_the_curve_is_fitted_to_groups() -> None:
    """Its weights come in the order of their names."""
    words = fit([asked(str(n), "real", 2, judged(n, 2 if n > 0 else 0)) for n in range(-20, 21)])
    assert words.startswith("Fitted to 41 groups (bias, gain, due,")


def test_tasks_are_read_or_refused(tmp_path: Path) -> None:
    """A file that is missing, or something else, is told."""
    path = tmp_path / "tasks.jsonl.gz"
    with pytest.raises(BadRequest, match="no next-edit tasks"):
        read_tasks(path)
    path.write_bytes(gzip.compress(b'{"id": 1}\n'))
    with pytest.raises(BadRequest, match="no next-edit tasks"):
        read_tasks(path)
    path.write_bytes(gzip.compress(msgspec.json.encode(TASK) + b"\n"))
    assert read_tasks(path) == [TASK]
