"""The index as a process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lsp_server.documents import DocumentSnapshot
from lsp_server.project.client import MAX_STARTS, ProjectIndex
from lsp_server.project.messages import Folders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

PATIENCE_S = 60.0
TEXT = "from m import found_one\nfound_one(\n"


@pytest.fixture
async def index() -> AsyncIterator[ProjectIndex]:
    """Yield one that is let go afterwards."""
    index = ProjectIndex()
    yield index
    await index.close()


def folders(root: Path) -> Folders:
    """Return a message that names one folder."""
    return Folders((str(root),), (), ())


def names_in(root: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in root.iterdir())


async def shown(index: ProjectIndex, root: Path, text: str = TEXT) -> list[tuple[str, str]] | None:
    """Return what is shown at the end of a document."""
    snapshot = DocumentSnapshot.read(root / "a.py", "python")
    found = await index.choose(snapshot, text, len(text), 1000, PATIENCE_S)
    return None if found is None else [(file.path, file.text) for file in found]


async def test_it_reads_the_workspace_and_answers(index: ProjectIndex, tmp_path: Path) -> None:
    """Nothing is written there; what is told of a change counts."""
    (tmp_path / "m.py").write_text("def found_one(a): ...\n")
    (tmp_path / "a.py").write_text(TEXT)
    assert await index.start(folders(tmp_path))
    state = await index.state(when_done=True)
    assert state is not None
    assert (state.n_files, state.n_unread) == (2, 0)
    assert await shown(index, tmp_path) == [("m.py", "def found_one(a)\n")]
    (tmp_path / "n.py").write_text("def found_two(b, c): ...\n")
    index.changed([str(tmp_path / "n.py")])
    await index.state(when_done=True)
    text = "from n import found_two\nfound_two(\n"
    # What was shown stays as long as there is room.
    assert await shown(index, tmp_path, text) == [
        ("n.py", "def found_two(b, c)\n"),
        ("m.py", "def found_one(a)\n"),
    ]
    assert names_in(tmp_path) == ["a.py", "m.py", "n.py"]


async def test_one_that_dies_costs_what_it_knew(tmp_path: Path) -> None:
    """It is started again a few times, and then left alone; nobody waits for it."""
    (tmp_path / "a.py").write_text(TEXT)
    index = ProjectIndex((sys.executable, "-c", "import sys; sys.stdin.buffer.read(1)"))
    for _ in range(MAX_STARTS):
        assert await index.start(folders(tmp_path))
        assert await shown(index, tmp_path) is None
    assert not await index.start(folders(tmp_path))
    assert await shown(index, tmp_path) is None
    await index.close()


async def test_one_that_says_no_message_is_let_go(tmp_path: Path) -> None:
    """Bytes that are none of ours."""
    (tmp_path / "a.py").write_text(TEXT)
    code = (
        r"import sys; sys.stdout.buffer.write(b'\1\0\0\0x'); sys.stdout.flush(); sys.stdin.read()"
    )
    index = ProjectIndex((sys.executable, "-c", code))
    assert await index.start(folders(tmp_path))
    assert await shown(index, tmp_path) is None
    assert not index.is_running
    await index.close()
