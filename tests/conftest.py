"""What every test gets: folders of its own, so that none touches the user's runtime or settings."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes what `support.golden` would compare."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden, to review")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, also where a shell started this in the background."""
    # What is ignored stays ignored in a child; what is handled is the child's own affair again.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep logs, settings and sockets apart; the cache of models is shared, for its size."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("REMASK_RUNTIME_DIR", str(short_path))


@pytest.fixture(autouse=True)
def _gradients() -> Iterator[None]:
    """Look that no test leaves them switched off: it would be another one that fails."""
    yield
    if torch := sys.modules.get("torch"):
        assert torch.is_grad_enabled()
