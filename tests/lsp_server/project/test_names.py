"""Files are read by two processes where many wait, and by one where that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.workspace import Workspace

from lsp_server.project import names
from lsp_server.project.names import NameReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture
def reader() -> Iterator[NameReader]:
    """Yield one that has a second process from the first file on."""
    reader = NameReader(many=0)
    yield reader
    reader.rest()


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Return files, one of which is none and one of which is no text."""
    Workspace(tmp_path, {f"m{n}.py": f"def name_{n}(): ...\nclass C{n}: ...\n" for n in range(7)})
    (tmp_path / "m5.py").write_bytes(b"\xff\x00\xfe")
    return [str(tmp_path / f"m{n}.py") for n in range(8)]


def second_of(reader: NameReader) -> subprocess.Popen[bytes]:
    """Return the second process."""
    assert reader._second is not None
    return reader._second


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core is one reader's")
def test_two_read_what_one_reads(reader: NameReader, paths: list[str]) -> None:
    """In order; the second one leaves when there is nothing to do, and comes again."""
    alone = NameReader()
    for _ in range(2):
        assert reader.read(paths, 0) == alone.read(paths, 0) == [*map(names.names_of, paths)]
        second = second_of(reader)
        assert reader.processor_s > 0
        reader.rest()
        assert second.returncode is not None
    assert alone._second is None
    assert reader.read(paths, 0)[0] == ("name_0", "C0")


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core is one reader's")
def test_a_second_process_that_dies_costs_nothing(reader: NameReader, paths: list[str]) -> None:
    """What it was given is read by the first, which goes on alone."""
    reader.read(paths, 0)
    second = second_of(reader)
    second.send_signal(signal.SIGKILL)
    second.wait()
    assert reader.read(paths, 0) == [*map(names.names_of, paths)]
    assert reader._second is None
    assert reader.read(paths, 0) == [*map(names.names_of, paths)]
    assert reader._second is None


def test_it_leaves_with_the_first() -> None:
    """Whatever becomes of that one: its input has ended."""
    command = [sys.executable, "-m", "lsp_server.project.names"]
    ran = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=True)
    assert ran.stdout == b""
