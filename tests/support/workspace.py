"""A workspace of real files, and an index of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.project.choice import choose, laid_out
from lsp_server.project.index import Index
from lsp_server.project.messages import Gone, Seen
from lsp_server.project.names import NameReader
from lsp_server.project.upkeep import Upkeep
from lsp_server.project.wanted import Document
from lsp_server.settings import Settings
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Mapping


class Workspace:
    """A folder, and an index that is kept up as the reader would.

    Args:
        root: the folder.
        files: written first, by their paths.
        settings: of the user.
    """

    def __init__(
        self, root: Path, files: Mapping[str, str], settings: Settings | None = None
    ) -> None:
        self.root = root
        self.write(files)
        self.index = Index(root, settings or Settings())
        self.upkeep = Upkeep(root, settings or Settings(), self._take, NameReader())
        self.keep_up()

    def write(self, files: Mapping[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def keep_up(self) -> None:
        """Do all there is to do."""
        while self.upkeep.has_work:
            self.upkeep.step()

    def shown(self, path: str, text: str | None = None, n_bytes: int = 1000) -> str:
        """Return what is shown at the `|` of a document, the nearest last."""
        text = (self.root / path).read_text() if text is None else text
        at = text.index("|")
        text = text[:at] + text[at + 1 :]
        self.index.open(path, text)
        document = Document(self.index, path, guess_language(Path(path)), text, at)
        files = reversed(laid_out(choose(document, n_bytes)))
        return "".join(f"== {file.path}\n{file.text}" for file in files)

    def _take(self, told: Seen | Gone) -> None:
        if isinstance(told, Seen):
            for file in told.files:
                self.index.see(*file)
        else:
            for path in told.paths:
                self.index.vanished(path)
