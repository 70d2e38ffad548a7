"""The reader: goes through the workspace for the index, as a process of lower priority.

It writes nothing to the disk, and leaves with the index.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from lsp_server.project.messages import (
    AskState,
    Changed,
    Folders,
    Refresh,
    State,
    ToReader,
    listen,
    peak_memory,
    send,
)
from lsp_server.project.names import NameReader
from lsp_server.project.upkeep import Upkeep
from lsp_server.settings import Settings

#: How far this process steps back for others, where the system knows that.
NICENESS = 10


class Reader:
    """Goes through the workspace folders, the first one first."""

    def __init__(self) -> None:
        self._tell = partial(send, sys.stdout.buffer)
        self._folders: Folders | None = None
        self._names = NameReader()
        self._kept: dict[str, Upkeep] = {}
        self._waiting: list[AskState] = []

    @property
    def has_work(self) -> bool:
        """Whether there is something to do in between."""
        return bool(self._waiting) or any(one.has_work for one in self._kept.values())

    def step(self) -> None:
        """Do a little of it."""
        for upkeep in self._kept.values():
            if upkeep.has_work:
                upkeep.step()
                return
        for asked in self._waiting:
            self._tell(self._state(asked))
        self._waiting = []

    def rest(self) -> None:
        """There is nothing to do: take no memory for it."""
        self._names.rest()

    def take(self, message: ToReader) -> None:
        """Take one message."""
        match message:
            case Folders(roots=roots):
                settings = Settings(
                    secret_files=message.secret_files,
                    disabled_languages=message.disabled_languages,
                )
                old = self._kept if self._same_settings(message) else {}
                self._folders = message
                self._kept = {
                    root: old.get(root) or Upkeep(Path(root), settings, self._tell, self._names)
                    for root in roots
                }
            case Changed(paths=paths):
                for upkeep in self._kept.values():
                    upkeep.look_at(map(Path, paths))
            case Refresh():
                for upkeep in self._kept.values():
                    upkeep.refresh()
            case AskState(when_done=True):
                self._waiting.append(message)
            case AskState():
                self._tell(self._state(message))

    def _same_settings(self, new: Folders) -> bool:
        old = self._folders
        return old is not None and old == Folders(
            old.roots, new.secret_files, new.disabled_languages
        )

    def _state(self, asked: AskState) -> State:
        n_unread = sum(upkeep.n_unread for upkeep in self._kept.values())
        processor_s = self._names.processor_s + time.process_time()
        peak = self._names.peak_memory_bytes + peak_memory()
        return State(asked.id, 0, n_unread, processor_s, peak)


def main() -> None:
    """Read until the other end hangs up."""
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICENESS)
    heard: queue.SimpleQueue[ToReader | None] = queue.SimpleQueue()
    source = sys.stdin.buffer.raw  # type: ignore[union-attr]  # of a pipe
    threading.Thread(target=listen, args=(source, ToReader, heard.put), daemon=True).start()
    reader = Reader()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        while True:
            if not reader.has_work:
                reader.rest()
            try:
                message = heard.get(block=not reader.has_work)
                if message is None:
                    break
                reader.take(message)
            except queue.Empty:
                reader.step()
    # What is left in the pipe nobody reads.
    os._exit(0)


if __name__ == "__main__":
    main()
