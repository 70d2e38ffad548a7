"""Runs a command on a machine whose file locks fail, as those of some network file systems do.

`python no_locks.py ERRNO COMMAND...`: the kernel itself (seccomp) answers `flock` with ERRNO, for
the command and all it starts. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

#: The number of the system call `flock`, by machine.
FLOCK = {"x86_64": 73, "aarch64": 32}

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_FAIL, _ALLOW = 0x00050000, 0x7FFF0000


class _Program(ctypes.Structure):
    _fields_ = (("n_steps", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def forbid_locks(error: int) -> None:
    """Have every `flock` of this process and its children fail from now on."""
    steps = [
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 0, 1, FLOCK[platform.machine()]),
        (_RETURN, 0, 0, _FAIL | error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    control = ctypes.CDLL(None, use_errno=True).prctl
    if control(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or control(_SECCOMP, _FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "no seccomp here")


if __name__ == "__main__":
    forbid_locks(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a test's own command
