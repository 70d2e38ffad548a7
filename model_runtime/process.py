"""Facts about this process, for `Status` and the log."""

from __future__ import annotations

import functools
import sys
from importlib import metadata
from pathlib import Path


@functools.cache
def version() -> str:
    """Return the version of the installed package; "unknown" when run from a bare checkout."""
    try:
        return metadata.version("remask")
    except metadata.PackageNotFoundError:
        return "unknown"


def peak_memory_bytes() -> int:
    """Return the most memory this process has had resident, in bytes; 0 where none can tell."""
    # Not getrusage on Linux: its peak is inherited from the parent through fork and exec.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource  # noqa: PLC0415  # there is none on Windows

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0
