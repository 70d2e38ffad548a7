"""Locks between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from filelock import Timeout

from model_runtime.locking import acquire

if TYPE_CHECKING:
    from pathlib import Path


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    """Who comes second waits as long as he says, and no longer; released, it is free."""
    first = acquire(tmp_path / "a.lock", 0)
    with pytest.raises(Timeout):
        acquire(tmp_path / "a.lock", 0)
    first.release()

    acquire(tmp_path / "a.lock", 0).release()


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    """That is another trouble than locks, and not one to go on with."""
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError):
        acquire(tmp_path / "file" / "a.lock", 0)
