"""Locks between processes, on file systems that have none, too.

A lock of the system's ends with its process, however that ends. Some network file systems have no
such lock; there a file that says who holds it does the same, less well: one that a killed process
of another machine left behind stays. So nobody waits for a lock without end.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from filelock import FileLock, SoftFileLock, Timeout

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import BaseFileLock

#: What a file system says that has no locks, or whose server hands none out.
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})


def acquire(path: Path, timeout_s: float) -> BaseFileLock:
    """Return a lock that is held; release it.

    Args:
        path: the lock's file; only this user may read it.
        timeout_s: how long to wait for whoever holds it.

    Raises:
        Timeout: it is held.
        OSError: the file can't be made.
    """
    # Whoever holds it may let go on another thread.
    native = FileLock(path, mode=0o600, thread_local=False)
    try:
        native.acquire(timeout=timeout_s)
    except Timeout:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    else:
        return native
    # Another name: the file of a lock that was not got is empty, and says of nobody that it is his.
    marker = SoftFileLock(path.with_name(f"{path.name}.held"), mode=0o600, thread_local=False)
    marker.acquire(timeout=timeout_s)
    return marker
