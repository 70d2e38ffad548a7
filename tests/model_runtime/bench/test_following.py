"""Next edits through a real language server and a real runtime, a script for a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model_runtime.bench.base import Setup
from model_runtime.bench.following import N_EDITED, measure
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_edits_are_made_and_offers_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is offered at every edit, each kind and each time of asking is told."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": [{"next_edit": 0.9}]}))
    monkeypatch.setenv("REMASK_ENGINE", "scripted")
    monkeypatch.setenv("REMASK_SCRIPT", str(script))
    (table,) = measure(Setup(settings=RuntimeSettings(), repeat=1, n_requests=1))
    assert [(row["edit"], row["its surroundings"]) for row in table.rows] == [
        ("a parameter renamed", "new"),
        ("a parameter renamed", "known"),
        ("another variable at one use", "new"),
        ("another variable at one use", "known"),
    ]
    assert all(row["offered"] == row["edits"] == N_EDITED for row in table.rows)
    assert all(float(row["ms"] or 0) > 0 for row in table.rows)
