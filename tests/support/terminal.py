"""A program in a terminal of its own, typed at from outside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Seconds after which something that has not happened is not going to.
PATIENCE_S = 20.0
_TICK_S = 0.05
_SIZE = struct.pack("HHHH", 40, 120, 0, 0)
#: What a program asks its terminal on start, and what a plain one answers.
_QUESTIONS = {b"\x1b[c": b"\x1b[?62;c", b"\x1b[6n": b"\x1b[1;1R"}
_ESCAPE = re.compile(r"\x1b(\[[0-9;?>=<]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()].|[=>78])")


class Terminal:
    """A running program.

    Args:
        command: what to run.
        folder: where.
        environment: all of it.
    """

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
        self._program = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._written = b""

    def close(self) -> None:
        """End it."""
        self._program.terminate()
        with contextlib.suppress(OSError):
            self._read(1.0)
        self._program.wait(10)
        os.close(self._end)

    def type(self, keys: str) -> None:
        """Press keys; what was written before counts as seen."""
        self._written = b""
        os.write(self._end, keys.encode())

    def shows(self, text: str, patience_s: float = PATIENCE_S) -> bool:
        """Return whether it writes a text in time, from the last key on."""
        return self._wait(lambda: text in self.written, patience_s)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something to be true."""
        assert self._wait(holds, PATIENCE_S), f"never came: {what}; {self.written[-2000:]}"

    @property
    def written(self) -> str:
        """What it wrote since the last key, without escape sequences."""
        return _ESCAPE.sub("", self._written.decode(errors="replace"))

    def _wait(self, holds: Callable[[], bool], patience_s: float) -> bool:
        end = time.monotonic() + patience_s
        while not holds():
            if time.monotonic() > end:
                return False
            with contextlib.suppress(OSError):
                self._read(_TICK_S)
        return True

    def _read(self, seconds: float) -> None:
        if not select.select([self._end], [], [], seconds)[0]:
            return
        found = os.read(self._end, 1 << 16)
        self._written += found
        for question, answer in _QUESTIONS.items():
            if question in found:
                os.write(self._end, answer)
