"""Going through one workspace folder, a little at a time, and telling what is there.

Each `step` looks through a folder or reads a few files. Nothing has to be told: from time to time
the folder is walked again, which costs a stat a file; what is told only comes in sooner.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lsp_server.project.messages import Gone, Seen
from lsp_server.project.walk import is_walked, look, walk
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lsp_server.project.names import NameReader
    from lsp_server.project.walk import Found
    from lsp_server.settings import Settings

#: A longer file is made by a program, or takes longer to read than somebody waits.
MAX_FILE_BYTES = 256 * 1024
#: Files of one workspace folder, and seconds of this process for reading them; what is beyond is
#: found where an import leads there.
MAX_FILES = 50_000
MAX_READING_S = 90.0
#: Seconds between two walks, and times as long as the last one took at the least.
WALK_EVERY_S, WALK_SHARE = 30.0, 50.0
#: Told of more at once, it is quicker to walk.
MANY = 500
#: Files read in one step.
_N_AT_ONCE = 32


class Upkeep:
    """Goes through one workspace folder.

    Args:
        root: the folder.
        settings: which files are secret, which languages left alone.
        tell: takes what is there, and what is no longer.
        names: reads the files.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        tell: Callable[[Seen | Gone], None],
        names: NameReader,
    ) -> None:
        self._root = root
        self._settings = settings
        self._tell = tell
        self._names = names
        self._known: dict[str, Found] = {}
        self._unread: deque[str] = deque()
        self._told: deque[Path] = deque()
        self._walk: Iterator[Found | None] | None = None
        self._walked: set[str] = set()
        self._walk_took = 0.0
        self._walk_ended = 0.0
        self._again = False
        self._reading_s = 0.0
        self.walk_again()

    @property
    def has_work(self) -> bool:
        """Whether `step` would do something."""
        return bool(self._walk is not None or self._told or self._unread)

    @property
    def n_unread(self) -> int:
        """Files that are not read yet."""
        return len(self._unread)

    def walk_again(self) -> None:
        """Look through the whole folder, now or once more after the walk that goes on."""
        if self._walk is not None:
            self._again = True
            return
        self._walked, self._walk_took = set(), 0.0
        self._walk = walk(self._root, self._settings, self._root)

    def refresh(self) -> None:
        """Walk again if the last time is some while ago."""
        pause = max(WALK_EVERY_S, WALK_SHARE * self._walk_took)
        if self._walk is None and time.monotonic() - self._walk_ended > pause:
            self.walk_again()

    def look_at(self, paths: Iterable[Path]) -> None:
        """Look at files or folders that came, changed or went."""
        self._told.extend(path for path in paths if path.is_relative_to(self._root))
        if len(self._told) > MANY or any(path.name == ".gitignore" for path in self._told):
            self._told.clear()
            self.walk_again()

    def step(self) -> None:
        """Do the most urgent piece of what there is to do."""
        if self._told:
            self._look_at(self._told.popleft())
        elif self._walk is not None:
            self._walk_on(self._walk)
        elif self._unread:
            self._read([self._unread.popleft() for _ in range(min(_N_AT_ONCE, self.n_unread))])

    def _look_at(self, path: Path) -> None:
        name = path.relative_to(self._root).as_posix()
        if path.is_dir():
            if is_walked(self._root, path):
                self._take(walk(self._root, self._settings, path))
        elif found := look(self._root, path, self._settings):
            self._take([found])
        else:
            self._forget([one for one in self._known if one == name or one.startswith(f"{name}/")])

    def _walk_on(self, going: Iterator[Found | None]) -> None:
        """Go on up to the next folder."""
        started = time.process_time()
        here: list[Found] = []
        is_over = True
        for found in going:
            if found is None:
                is_over = False
                break
            here.append(found)
        self._walked.update(found.path for found in here)
        self._take(here)
        self._walk_took += time.process_time() - started
        if is_over or len(self._walked) >= MAX_FILES:
            self._walk, self._walk_ended = None, time.monotonic()
            self._forget([path for path in self._known if path not in self._walked])
            if self._again:
                self._again = False
                self.walk_again()

    def _take(self, files: Iterable[Found | None]) -> None:
        new = []
        for found in files:
            if found is not None and self._known.get(found.path) != found:
                self._known[found.path] = found
                self._unread.append(found.path)
                new.append((*found, None))
        if new:
            self._tell(Seen(str(self._root), tuple(new)))

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            del self._known[path]
        if paths:
            self._tell(Gone(str(self._root), tuple(paths)))

    def _read(self, paths: list[str]) -> None:
        if self._reading_s > MAX_READING_S:
            self._unread.clear()
            return
        started = time.process_time()
        known = [self._known[path] for path in paths if path in self._known]
        worth = [found for found in known if self._is_read(found)]
        whole = [str(self._root / found.path) for found in worth]
        names = dict(zip(worth, self._names.read(whole, self.n_unread), strict=True))
        self._reading_s += time.process_time() - started
        read = tuple((*found, names.get(found, ())) for found in known)
        self._tell(Seen(str(self._root), read))

    def _is_read(self, found: Found) -> bool:
        language = guess_language(PurePosixPath(found.path))
        return found.n_bytes <= MAX_FILE_BYTES and language not in self._settings.disabled_languages
