"""How much memory the processor has left, a container's limits included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where control groups are mounted; in version 1 the memory's are a folder of their own.
_GROUPS = Path("/sys/fs/cgroup")
#: Limit, use, and the facts among which is what of the use could be given back; by version.
_VERSION_2 = ("memory.max", "memory.current")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_FACTS = "memory.stat"
#: Pages of files, which are read again where they are needed again.
_GIVEN_BACK = ("inactive_file", "active_file", "total_inactive_file", "total_active_file")


def free_memory(processes: Path = Path("/proc"), groups: Path = _GROUPS) -> int | None:
    """Return the bytes that a process could still take, or None where that can't be told.

    Args:
        processes: where Linux tells of processes and memory.
        groups: where it tells of control groups.
    """
    machine = _of_the_machine(processes)
    limits = list(_of_the_groups(processes, groups))
    known = [*limits, *([] if machine is None else [machine])]
    return min(known, default=None)


def _of_the_machine(processes: Path) -> int | None:
    try:
        # What the kernel could free counts as free; other systems tell the whole memory at least.
        lines = (processes / "meminfo").read_text(encoding="ascii").splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_the_groups(processes: Path, groups: Path) -> Iterator[int]:
    """Yield what each group that this process is in, and each around it, has left."""
    try:
        lines = (processes / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, kinds, own = [*line.split(":", 2), "", ""][:3]
        if kinds and "memory" not in kinds.split(","):
            continue
        root, names = (groups / "memory", _VERSION_1) if kinds else (groups, _VERSION_2)
        place = root / own.lstrip("/")
        # In a container the path may be the host's, which is not there: then the root is its own.
        for folder in (place, *place.parents):
            if not folder.is_relative_to(root):
                break
            left = _left(folder, *names)
            if left is not None:
                yield left


def _left(folder: Path, limit: str, used: str) -> int | None:
    """Return what a group has left; None where it has no limit, or does not say."""
    try:
        most, now = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
        facts = (folder / _FACTS).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    by_name = dict(zip(facts[::2], facts[1::2], strict=False))
    # Version 1 tells the group's own pages, and those of all within it as well.
    kept = {
        name.removeprefix("total_"): int(by_name[name]) for name in _GIVEN_BACK if name in by_name
    }
    return max(0, most - now + sum(kept.values()))
