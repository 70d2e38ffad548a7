"""`remask pull`, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from model_runtime.weights.catalog import CATALOG, DEFAULT_MODEL

if TYPE_CHECKING:
    from pathlib import Path


def pull(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a cache of its own."""
    return subprocess.run(
        [sys.executable, "-m", "model_runtime", "pull", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "REMASK_CACHE_DIR": str(cache)},
    )


def test_wrong_copy(tmp_path: Path) -> None:
    """A copy that is not the model is refused in one line, and is left where it is."""
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(b"GGUF")
    said = pull(tmp_path / "cache", "--from", str(copy))

    assert said.returncode == 1
    assert "it ended after 4 of 491,400,064 bytes" in said.stderr.splitlines()[-1]
    assert copy.read_bytes() == b"GGUF"


def test_unknown_model(tmp_path: Path) -> None:
    """An unknown name is refused with the known ones."""
    said = pull(tmp_path, "qwen")

    assert said.returncode == 1
    assert said.stderr == f"unknown model 'qwen'; allowed: {', '.join(sorted(CATALOG))}\n"


@pytest.mark.real_model
def test_default_model_can_be_had(tmp_path: Path) -> None:
    """The default model comes from one of its real sources, into an empty cache."""
    said = pull(tmp_path)

    assert said.returncode == 0, said.stderr
    path = tmp_path / CATALOG[DEFAULT_MODEL].file
    assert said.stdout.strip() == str(path)
    assert path.stat().st_size == CATALOG[DEFAULT_MODEL].n_bytes
    assert "verified, licence Apache-2.0" in said.stderr
    path.unlink()
