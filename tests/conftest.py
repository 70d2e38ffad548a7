"""What every test gets: folders of its own, so that none touches the user's runtime or settings."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from support import workers

if TYPE_CHECKING:
    from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each process has its core; torch and the runtimes that tests start would take all of them.
    os.environ |= {"OMP_NUM_THREADS": "1", "REMASK_THREADS": "1"}

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile(
    "any machine",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes what `support.golden` would compare."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden, to review")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, also where a shell started this in the background."""
    # What is ignored stays ignored in a child; what is handled is the child's own affair again.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests on several processes, and what is asked for by name in this one."""
    return workers.n_workers(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> workers.ByFile:
    """Keep together what shares something."""
    return workers.ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the order within is as random as it was."""
    items[:] = workers.longest_first(items)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Give memory back: the default model's once it is done with, what was freed behind a file."""
    loaded = sys.modules.get("support.default_model")
    if loaded and not hasattr(getattr(nextitem, "module", None), "default_model"):
        loaded.default_model.cache_clear()
    if nextitem is None or nextitem.path != item.path:
        workers.trim()


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
