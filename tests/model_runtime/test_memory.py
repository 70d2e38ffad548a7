"""Free memory, as Linux tells of it: the machine's, and what a container may take of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_runtime.memory import free_memory

if TYPE_CHECKING:
    from pathlib import Path

GB = 10**9
#: No limit, as version 1 spells it.
NONE = 9223372036854771712


def machine(folder: Path, own: str, available: int = 16 * GB) -> Path:
    """Write what Linux tells of memory, and of the groups that a process is in."""
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {available // 1024} kB\n")
    (folder / "self" / "cgroup").write_text(own)
    return folder


def group(folder: Path, files: dict[str, object]) -> None:
    """Write a group's files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n")


def second(limit: object, used: int, files: int = 0) -> dict[str, object]:
    """Return a group of version 2."""
    stat = f"anon 1\nfile {files}\nactive_file {files // 2}\ninactive_file {files - files // 2}"
    return {"memory.max": limit, "memory.current": used, "memory.stat": stat}


def first(limit: int, used: int, files: int = 0) -> dict[str, object]:
    """Return a group of version 1, with a part of its pages in a group within it."""
    stat = f"active_file 0\ninactive_file 0\ntotal_active_file {files}\ntotal_inactive_file 0"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    """What it may take less what it has; pages of files are given back where they must."""
    processes = machine(tmp_path / "proc", "0::/\n")
    group(tmp_path / "groups", second(4 * GB, 3 * GB, files=2 * GB))
    assert free_memory(processes, tmp_path / "groups") == 3 * GB


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    """A limit holds for all groups within; one without a limit says nothing."""
    processes = machine(tmp_path / "proc", "0::/user.slice/app.scope\n")
    groups = tmp_path / "groups"
    group(groups / "user.slice", second(6 * GB, GB))
    group(groups / "user.slice" / "app.scope", second("max", GB))
    assert free_memory(processes, groups) == 5 * GB
    group(groups / "user.slice" / "app.scope", second(2 * GB, 3 * GB))
    assert free_memory(processes, groups) == 0


@pytest.mark.parametrize("own", ["4:memory:/docker/a", "3:cpu,memory:/docker/a"])
def test_version_1(tmp_path: Path, own: str) -> None:
    """The memory's groups are a folder of their own, under the host's path or at its root."""
    processes = machine(tmp_path / "proc", f"5:cpuset:/docker/a\n{own}\n0::/\n")
    groups = tmp_path / "groups"
    group(groups / "memory", first(NONE, 0))
    assert free_memory(processes, groups) == 16 * GB // 1024 * 1024
    group(groups / "memory", first(3 * GB, 2 * GB, files=GB))
    assert free_memory(processes, groups) == 2 * GB
    group(groups / "memory" / "docker" / "a", first(GB, GB // 2))
    assert free_memory(processes, groups) == GB // 2


@pytest.mark.parametrize("own", ["", "rubbish", "0::/../..", "0::/\n\n::"])
def test_what_makes_no_sense_is_left_out(tmp_path: Path, own: str) -> None:
    """The machine's own memory is known all the same."""
    processes = machine(tmp_path / "proc", own, available=GB)
    group(tmp_path / "groups", {"memory.max": "a lot", "memory.current": 1, "memory.stat": "x"})
    assert free_memory(processes, tmp_path / "groups") == GB // 1024 * 1024


def test_without_groups_and_without_linux(tmp_path: Path) -> None:
    """Other systems tell the whole memory, or nothing."""
    found = free_memory(tmp_path, tmp_path)
    assert found is None or found > 0
