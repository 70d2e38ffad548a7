"""This process: facts for `Status` and the log, and how it handles memory."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import sys
import tempfile
from importlib import metadata
from pathlib import Path


@functools.cache
def version() -> str:
    """Return the version of the installed package; "unknown" when run from a bare checkout."""
    try:
        return metadata.version("remask")
    except metadata.PackageNotFoundError:
        return "unknown"


@functools.cache
def find_home() -> str:
    """See that there is a home folder, and make do with a temporary one where none is known.

    A container may run as a user that has no name and no home. Settings, models and logs, and the
    libraries' own files, have places below the home.

    Returns:
        What to tell the user; empty where there is a home.

    Raises:
        OSError: there is none, and no other folder can be had.
    """
    with contextlib.suppress(RuntimeError):
        if sys.platform == "win32" or Path.home().is_absolute():
            return ""
    folder = Path(tempfile.gettempdir()) / f"remask-home-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(
            f"No home folder is known for this user, and {folder} is not theirs alone: set HOME."
        )
    os.environ["HOME"] = str(folder)
    return (
        f"No home folder is known for this user; models and logs are kept in {folder}. "
        "Set HOME to keep them."
    )


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
