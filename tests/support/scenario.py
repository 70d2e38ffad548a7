"""Scenarios of next edits: a file with what the user changed in it, and what is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lsp_server.next_edit.changes import meant

FOLDER = Path(__file__).parents[1] / "scenarios" / "next_edit"
_MARK = re.compile(r"([⟦«])(.*?)→(.*?)[⟧»]", re.DOTALL)


@dataclass(frozen=True)
class Scenario:
    """One file of `FOLDER`; its README says how it is written."""

    name: str
    language: str
    fails: str
    #: The file before the user's change, as it stands now, and with all that is wanted.
    before: str
    text: str
    wanted: str

    @classmethod
    def read(cls, path: Path) -> Scenario:
        """Read a file."""
        head, _, body = path.read_text("utf-8").partition("---\n")
        title, _, more = head.partition("\n")
        return cls(
            path.stem,
            title.partition(":")[0],
            more.removeprefix("fails:").strip(),
            _MARK.sub(lambda mark: mark[2], body),
            _MARK.sub(lambda mark: mark[3] if mark[1] == "⟦" else mark[2], body),
            _MARK.sub(lambda mark: mark[3], body),
        )

    @property
    def changes(self) -> list[tuple[int, str, str]]:
        """What the user meant, as the server tells it."""
        return [(one.start, one.old, one.new) for one in meant(self.before, self.text)]


def scenarios() -> list[Scenario]:
    """Return all of them, by name."""
    return [Scenario.read(path) for path in sorted(FOLDER.glob("*.txt"))]
