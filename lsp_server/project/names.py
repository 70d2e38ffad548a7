"""The names that files define: read here, and half of them in a second process where many wait.

Nearly all of it is the parser's time, which holds one core. The second process is there only while
a workspace is read for the first time or a branch has been switched.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.project.definitions import find_names
from lsp_server.project.messages import Names, Read, Unpacker, listen, peak_memory, send
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = logging.getLogger(__name__)

#: Files that wait from which on a second process is worth its start and its memory.
MANY_WAITING = 1000
_N_READ = 1 << 16


class NameReader:
    """Reads files.

    Args:
        many: files that wait from which on a second process helps.
    """

    def __init__(self, many: int = MANY_WAITING) -> None:
        self._many = many
        self._second: subprocess.Popen[bytes] | None = None
        self._unpacker = Unpacker(Names)
        self._is_alone = (os.cpu_count() or 1) == 1
        #: Seconds of the processor and most memory of second processes that have left.
        self._left_s, self._left_bytes = 0.0, 0
        self._last: Names | None = None

    @property
    def processor_s(self) -> float:
        """Seconds of the processor that second processes have taken."""
        return self._left_s + (self._last.processor_s if self._last else 0.0)

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that a second process has had."""
        return max(self._left_bytes, self._last.peak_memory_bytes if self._last else 0)

    def read(self, paths: Sequence[str], n_waiting: int) -> list[tuple[str, ...]]:
        """Return the names that each file defines.

        Args:
            paths: of the files.
            n_waiting: how many files wait to be read after these.
        """
        # Once it is there it stays until there is a rest.
        helps = self._second is not None or n_waiting >= self._many
        theirs = [*paths[1::2]] if helps and self._begin(paths[1::2]) else []
        names = {path: names_of(path) for path in (paths[0::2] if theirs else paths)}
        if theirs:
            told = self._end()
            found = map(names_of, theirs) if told is None else told.names
            names.update(zip(theirs, found, strict=True))
        return [names[path] for path in paths]

    def rest(self) -> None:
        """Let the second process go."""
        if self._second is None:
            return
        # It has nothing to lose.
        self._second.kill()
        self._second.wait()
        for pipe in (self._second.stdin, self._second.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # of a pipe
        self._left_s, self._left_bytes = self.processor_s, self.peak_memory_bytes
        self._second, self._last = None, None

    def _begin(self, paths: Sequence[str]) -> bool:
        """Give files to the second process; return whether it has them."""
        if self._is_alone or not paths:
            return False
        try:
            if self._second is None:
                command = [sys.executable, "-m", "lsp_server.project.names"]
                pipe = subprocess.PIPE
                self._second = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0)
            send(self._second.stdin, Read(tuple(paths)))
        except OSError as error:
            self._lost(error)
            return False
        return True

    def _end(self) -> Names | None:
        """Wait for what the second process has read; None where it died."""
        assert self._second is not None  # noqa: S101  it was given something
        try:
            while data := self._second.stdout.read(_N_READ):  # type: ignore[union-attr]
                for message in self._unpacker.feed(data):
                    self._last = message
                    return self._last
        except (OSError, ValueError) as error:
            self._lost(error)
            return None
        self._lost("it has ended")
        return None

    def _lost(self, why: object) -> None:
        LOG.warning("The index reads alone: its second process failed: %s", why)
        self.rest()
        self._is_alone = True


def names_of(path: str) -> tuple[str, ...]:
    """Return the names that a file defines; none where it can't be read."""
    try:
        text = Path(path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ()
    try:
        return find_names(guess_language(Path(path)), text)
    except Exception:
        # A file that can't be understood costs what is known of it, and no more.
        LOG.exception("A file could not be read for the index")
        return ()


def main() -> None:
    """Read what the other end asks for, until it hangs up."""

    def read(asked: Read | None) -> None:
        if asked is not None:
            names = tuple(map(names_of, asked.paths))
            told = Names(names, time.process_time(), peak_memory())
            with suppress(OSError):
                send(sys.stdout.buffer, told)

    with suppress(KeyboardInterrupt):
        listen(sys.stdin.buffer.raw, Read, read)  # type: ignore[union-attr]  # of a pipe


if __name__ == "__main__":
    main()
