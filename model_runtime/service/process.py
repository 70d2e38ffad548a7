"""This process: facts for `Status` and the log, and how it handles memory."""

from __future__ import annotations

import contextlib
import ctypes
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


#: Of glibc's `mallopt`, see malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
#: Freed memory that stays with the process, and the size from which on it never does.
_KEPT_BYTES, _LARGE_BYTES = 1 << 28, 1 << 30


def keep_freed_memory() -> None:
    """Have what one forward frees serve the next one, where the C library is glibc.

    By itself it gives large pieces back, and every layer of a long context asks for them again,
    filled with zeros page by page: encoding 1,000 tokens takes a tenth longer so. To be called
    before there are threads, for each would keep memory of its own.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError):  # musl has no such function
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(_MMAP_THRESHOLD, _LARGE_BYTES):
            mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
            mallopt(_ARENA_MAX, 1)
