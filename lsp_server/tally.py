"""What ghost text was worth, on this machine alone: counted, without any text of the user's.

A suggestion that was shown comes to one end: accepted whole or in part, typed as it stands, or
passed over. Ends are counted by language and by the tenth of confidence that the suggestion was
shown with, and kept in one small file of the user's state folder, which all editors add to. Nothing
else is kept, and nothing leaves the machine.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

log = logging.getLogger(__name__)

End = Literal["accepted", "partly", "typed", "passed"]

FILE_NAME = "ghost-text.json"
#: Counts wait in memory for so many ends, or until the server leaves: a write each would be waste.
N_WAITING = 20
#: How long another editor that writes is waited for where the server leaves.
_LOCK_S = 2.0
N_TENTHS = 10


class Count(msgspec.Struct, kw_only=True):
    """How suggestions ended."""

    accepted: int = 0
    partly: int = 0
    typed: int = 0
    passed: int = 0

    @property
    def shown(self) -> int:
        """How many there were."""
        return self.accepted + self.partly + self.typed + self.passed

    def add(self, other: Count) -> None:
        """Add another's ends."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Counts(msgspec.Struct, kw_only=True):
    """All that is kept."""

    #: Day of the first one, "2026-12-01"; empty before it.
    since: str = ""
    by_language: dict[str, Count] = {}
    #: By the tenth of confidence, "0" to "9"; "" where the engine did not tell.
    by_confidence: dict[str, Count] = {}

    @property
    def total(self) -> Count:
        """All languages together."""
        total = Count()
        for count in self.by_language.values():
            total.add(count)
        return total

    def add(self, other: Counts) -> None:
        """Add another's ends."""
        self.since = min(filter(None, (self.since, other.since)), default="")
        for name in ("by_language", "by_confidence"):
            own = getattr(self, name)
            for key, count in getattr(other, name).items():
                own.setdefault(key, Count()).add(count)


class Tally:
    """One server's counts, on their way to the file.

    Args:
        path: the file; made if need be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = Counts()
        self.n_shown = 0
        self.n_accepted = 0

    def end(self, language: str, confidence: float | None, end: End) -> None:
        """Count one suggestion.

        Args:
            language: LSP language id.
            confidence: of the suggestion, 0 to 1; None where it was not told.
            end: what became of it.
        """
        tenth = "" if confidence is None else str(min(N_TENTHS - 1, int(confidence * N_TENTHS)))
        one = Count(**{end: 1})
        self._waiting.add(
            Counts(
                since=time.strftime("%Y-%m-%d"),
                by_language={language: one},
                by_confidence={tenth: one},
            )
        )
        self.n_shown += 1
        self.n_accepted += end == "accepted"
        if self._waiting.total.shown >= N_WAITING:
            # Somebody types: while another editor writes, the counts wait on.
            self.flush(wait_s=0)

    def flush(self, wait_s: float = _LOCK_S) -> None:
        """Add what waits to the file; where that can't be written it waits on.

        Args:
            wait_s: how long another editor that writes is waited for.
        """
        if not self._waiting.by_language:
            return
        # Slow to import, and not wanted when the server starts.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=wait_s):
                counts = read_counts(self._path)
                counts.add(self._waiting)
                partial = self._path.with_suffix(".partial")
                partial.write_bytes(msgspec.json.encode(counts))
                partial.replace(self._path)
        except (OSError, Timeout, NotImplementedError) as error:
            log.info("Counts of ghost text could not be kept: %s", error)
        else:
            self._waiting = Counts()


def tally_path() -> Path:
    """Return the file that this user's editors add to."""
    return Path(platformdirs.user_state_dir("remask", appauthor=False)) / FILE_NAME


def read_counts(path: Path) -> Counts:
    """Return what is kept; nothing where there is no file, or one that can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Counts)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Counts()


def forget(path: Path) -> None:
    """Remove what is kept."""
    path.unlink(missing_ok=True)


def share_right(count: Count) -> float | None:
    """Return the share of suggestions that were what the user wanted, to the end of them."""
    return (count.accepted + count.typed) / count.shown if count.shown else None
