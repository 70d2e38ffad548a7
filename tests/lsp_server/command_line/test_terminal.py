"""What the command line does to files."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lsp_server.command_line.terminal import write_file
from lsp_server.documents import DocumentSnapshot
from lsp_server.errors import StaleResult, UnsupportedDocument

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_changed_is_left_alone(tmp_path: Path) -> None:
    """Somebody saved it while the model worked."""
    path = tmp_path / "a.py"
    path.write_text("old")
    snapshot = DocumentSnapshot.read(path, "python")
    path.write_text("theirs")

    with pytest.raises(StaleResult, match="changed while the model worked"):
        write_file(snapshot, "new")

    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["a.py"]


def test_a_file_that_is_gone_stays_gone(tmp_path: Path) -> None:
    """Somebody deleted it while the model worked; one sentence says so."""
    path = tmp_path / "a.py"
    path.write_text("old")
    snapshot = DocumentSnapshot.read(path, "python")
    path.unlink()

    with pytest.raises(UnsupportedDocument, match=r"Can't write .*a\.py: No such file"):
        write_file(snapshot, "new")

    assert names(tmp_path) == []


def test_a_full_disk_costs_nothing(tmp_path: Path) -> None:
    """The file is as it was, and nothing half written lies beside it."""
    (tmp_path / "a.py").write_text("old")
    # A limit on the size of files stands for a full disk: writing fails in the same place.
    code = """
import resource, sys
from pathlib import Path
from lsp_server.documents import DocumentSnapshot
from lsp_server.errors import UnsupportedDocument
from lsp_server.command_line.terminal import write_file
snapshot = DocumentSnapshot.read(Path(sys.argv[1]) / "a.py", "python")
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    write_file(snapshot, "x" * 2_000)
except UnsupportedDocument as fault:
    print(fault)
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )

    assert "Can't write" in said.stdout
    assert (tmp_path / "a.py").read_text() == "old"
    assert names(tmp_path) == ["a.py"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    """What stands in for the file while it is written has a name of its own."""
    path = tmp_path / f"{'a' * 252}.py"
    path.write_text("old")

    write_file(DocumentSnapshot.read(path, "python"), "new")

    assert path.read_text() == "new"
