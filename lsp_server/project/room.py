"""The index as a process of its own, beside the language server.

It answers at once, for what takes long is done by another process (`reader`), at low priority. It
holds no more than the server tells it and the workspace has, and leaves with the server.
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server.paths import is_inside, relative_path
from lsp_server.project.choice import choose, laid_out
from lsp_server.project.index import Index
from lsp_server.project.messages import (
    Ask,
    AskState,
    Changed,
    Chosen,
    Closed,
    Folders,
    FromReader,
    Gone,
    Opened,
    Refresh,
    Seen,
    State,
    ToIndex,
    listen,
    peak_memory,
    send,
)
from lsp_server.project.walk import walk
from lsp_server.project.wanted import Document
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lsp_server.project.wanted import Line
    from model_runtime.protocol import ContextFile

LOG = logging.getLogger(__name__)

#: Documents whose last choice is remembered.
N_STANDING = 64
#: Seconds for looking around before the reader has told what there is.
LOOKING_S = 0.5
_BELOW_NORMAL = 0x4000


_OF_READER = (Seen, Gone, State)


class Room:
    """Answers messages.

    Args:
        answer: takes an answer to the server.
        ask: takes what the reader is told.
    """

    def __init__(
        self, answer: Callable[[Chosen | State], None], ask: Callable[[Any], None]
    ) -> None:
        self._answer = answer
        self._ask = ask
        self._folders: Folders | None = None
        self._indexes: dict[str, Index] = {}
        self._standing: dict[tuple[str, int], list[Line]] = {}

    def take(self, message: ToIndex) -> None:
        """Take one message of the server's."""
        match message:
            case Folders():
                self._take_folders(message)
            case Changed() | AskState():
                self._ask(message)
            case Opened(path=path, text=text):
                if index := self._holding(path):
                    index.open(relative_path(path, str(index.root)), text)
            case Closed(path=path):
                if index := self._holding(path):
                    index.close(relative_path(path, str(index.root)))
            case Ask():
                self._answer(Chosen(message.id, tuple(self._chosen(message))))
                self._ask(Refresh())

    def hear(self, message: FromReader) -> None:
        """Take one message of the reader's."""
        if isinstance(message, State):
            self._answer(
                State(
                    message.id,
                    sum(map(len, self._indexes.values())),
                    message.n_unread,
                    message.processor_s + time.process_time(),
                    message.peak_memory_bytes + peak_memory(),
                )
            )
        elif (index := self._indexes.get(message.root)) is None:
            return
        elif isinstance(message, Seen):
            for path, mtime_ns, n_bytes, names in message.files:
                index.see(path, mtime_ns, n_bytes, names)
        else:
            for path in message.paths:
                index.vanished(path)

    def _take_folders(self, message: Folders) -> None:
        settings = Settings(
            secret_files=message.secret_files, disabled_languages=message.disabled_languages
        )
        old = self._indexes
        self._indexes = {}
        for root in message.roots:
            kept = old.get(root)
            is_same = kept is not None and kept.settings == settings
            self._indexes[root] = kept if kept and is_same else _looked_around(root, settings)
        self._folders = message
        self._ask(message)

    def _holding(self, path: str) -> Index | None:
        """Return the index of the innermost folder that a file lies in."""
        roots = [root for root in self._indexes if is_inside(path, root)]
        return self._indexes[max(roots, key=len)] if roots else None

    def _chosen(self, asked: Ask) -> Sequence[ContextFile]:
        index = self._holding(asked.path)
        if index is None:
            return ()
        path = relative_path(asked.path, str(index.root))
        index.open(path, asked.text)
        key = asked.path, asked.n_bytes
        standing = self._standing.pop(key, [])
        document = Document(index, path, asked.language, asked.text, asked.at)
        lines = choose(document, asked.n_bytes, standing)
        self._standing[key] = lines
        if len(self._standing) > N_STANDING:
            del self._standing[next(iter(self._standing))]
        return laid_out(lines)


def _looked_around(root: str, settings: Settings) -> Index:
    """Return an index that knows some files, so that the first answer is not empty."""
    index, until = Index(Path(root), settings), time.monotonic() + LOOKING_S
    for found in walk(Path(root), settings, Path(root)):
        if found is not None:
            index.see(*found, None)
        if time.monotonic() > until:
            break
    return index


def main() -> None:
    """Answer until the server hangs up."""
    # What an index holds lives long; looking through it for garbage again and again takes time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    source = sys.stdin.buffer.raw  # type: ignore[union-attr]  # of a pipe
    threading.Thread(target=listen, args=(source, ToIndex, heard.put), daemon=True).start()
    flags = {"creationflags": _BELOW_NORMAL} if sys.platform == "win32" else {}
    reader = subprocess.Popen(
        [sys.executable, "-m", "lsp_server.project.reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        **flags,  # type: ignore[call-overload]
    )

    def hear(message: FromReader | None) -> None:
        # Without a reader the index goes on with what it has.
        if message is not None:
            heard.put(message)

    arguments = (reader.stdout, FromReader, hear)
    threading.Thread(target=listen, args=arguments, daemon=True).start()

    def answer(message: Chosen | State) -> None:
        send(sys.stdout.buffer, message)

    def ask(message: Any) -> None:
        with suppress(OSError):
            send(reader.stdin, message)

    room = Room(answer, ask)
    with suppress(BrokenPipeError, KeyboardInterrupt):
        while (message := heard.get()) is not None:
            try:
                room.hear(message) if isinstance(message, _OF_READER) else room.take(message)
            except BrokenPipeError:
                raise
            except Exception:
                # A file that can't be understood costs what is known of it, and no more.
                LOG.exception("A message to the index failed")
    with suppress(OSError):
        reader.stdin.close()
    os._exit(0)
