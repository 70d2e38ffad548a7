"""Recorded results of our own: compared, or rewritten with `--update-golden` and then reviewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

FOLDER = Path(__file__).parents[1] / "golden"


def check_golden(config: pytest.Config, name: str, lines: list[object]) -> None:
    """Compare a result with `tests/golden/NAME.json`, one line an item so that diffs are readable.

    Args:
        config: says whether to rewrite.
        name: may have folders.
        lines: what JSON can hold.
    """
    path = FOLDER / f"{name}.json"
    if config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[\n" + ",\n".join(map(json.dumps, lines)) + "\n]\n", encoding="utf-8")
    assert path.exists(), f"{path} is not recorded: run pytest --update-golden and review it"
    assert json.loads(path.read_text(encoding="utf-8")) == lines
