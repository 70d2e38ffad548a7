"""What was measured, kept as it comes: a run that was cut off can go on where it stopped."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

R = TypeVar("R", bound=msgspec.Struct)


class Journal(Generic[R]):
    """Outcomes in a file, one a line, behind a line that says what they hold for.

    Args:
        path: made if need be.
        settings: what the outcomes depend on.
        kind: of outcome.
        names: the fields that tell outcomes apart; `id` where none is given.
        resume: keep what stands there, if it holds for the same settings. Weights are not among
            them: to resume is to say that they have not changed.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], kind: type[R], *names: str, resume: bool = False
    ) -> None:
        self._path = path
        head = msgspec.json.encode(settings, order="sorted")
        content = path.read_bytes() if resume and path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole.splitlines()[:1] != [head]:
            whole = head + b"\n"
            path.parent.mkdir(parents=True, exist_ok=True)
        if whole != content:
            # A last line that was cut off is left out.
            path.write_bytes(whole)
        key = attrgetter(*names or ("id",))
        outcomes = [msgspec.json.decode(line, type=kind) for line in whole.splitlines()[1:]]
        #: By what tells them apart, in the order in which they came.
        self.known: dict[Any, R] = {key(outcome): outcome for outcome in outcomes}

    def once(self, key: Any, measure: Callable[[], R]) -> R:
        """Return an outcome: the one that stands there, else a new one, which stands there then."""
        if key not in self.known:
            self.known[key] = outcome = measure()
            with self._path.open("ab") as out:
                out.write(msgspec.json.encode(outcome) + b"\n")
        return self.known[key]


def once(journal: Journal[R] | None, key: Any, measure: Callable[[], R]) -> R:
    """Return an outcome, kept where there is a journal."""
    return measure() if journal is None else journal.once(key, measure)
