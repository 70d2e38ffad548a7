"""How all tests are shared out among processes: what stays together, and what begins first.

A file's tests stay together, for they share what is dear: a model, an editor, a server. So do files
that need the same large thing, which then is there once, and takes its memory once.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

#: What takes longest, first, so that what is short fills the gaps at the end; paths within tests.
#: Lines of one name are one after the other on one worker, so that what takes much memory never
#: stands beside another of its kind: a browser, which begins while the workers are small; runtimes
#: that have the default model, and Ray's many processes; the default model in a test's own process.
GROUPS = (
    ("large", "e2e/vscode/"),
    ("large", "e2e/test_newcomer.py"),
    ("large", "e2e/test_default_model.py"),
    ("large", "e2e/neovim/test_default_model.py"),
    ("large", "e2e/test_packages.py"),
    ("large", "e2e/test_http_replicas.py"),
    ("large", "e2e/test_http_tiny_replicas.py"),
    ("large", "e2e/test_real_edits.py"),
    ("large", "model_runtime/test_default_model.py"),
    ("large", "model_runtime/test_next_edits.py"),
    ("large", "model_runtime/test_real_fills.py"),
    ("", "e2e/"),
)
#: More would take more memory than they save time.
MOST = 4


def n_workers(config: pytest.Config) -> int:
    """Return how many processes to run on: 0, this one, for tests that are asked for by name."""
    if config.args_source is not config.ArgsSource.TESTPATHS:
        return 0
    # With one more than there are cores they were in each other's way, and took longer.
    return min(MOST, max(2, os.cpu_count() or 1))


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return tests in the order in which they are to begin; within a group it stays as it is."""
    return sorted(items, key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    path = nodeid.partition("::")[0].partition("tests/")[2]
    found = (i for i, (_, start) in enumerate(GROUPS) if path.startswith(start))
    return next(found, len(GROUPS))


class ByFile(LoadScopeScheduling):
    """Hands a worker that has nothing left the next file, or all the files of a group."""

    def _split_scope(self, nodeid: str) -> str:
        place = _place(nodeid)
        return (place < len(GROUPS) and GROUPS[place][0]) or nodeid.partition("::")[0]


def trim() -> None:
    """Give what was freed back to the system, where the C library keeps it and can be told to."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
