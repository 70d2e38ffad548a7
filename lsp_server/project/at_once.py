"""What of other files to show, for who asks once and has no index: the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lsp_server.paths import is_ignored, relative_path
from lsp_server.project.choice import choose, laid_out
from lsp_server.project.index import Index
from lsp_server.project.walk import walk
from lsp_server.project.wanted import Document
from lsp_server.syntax.languages import find_grammar

if TYPE_CHECKING:
    from lsp_server.documents import DocumentSnapshot
    from lsp_server.settings import Settings
    from model_runtime.protocol import ContextFile

#: Seconds that looking around may take; what was not found by then is not shown.
MAX_SECONDS = 2.0


def definitions_around(
    snapshot: DocumentSnapshot, root: str, at: int, n_bytes: int, settings: Settings
) -> list[ContextFile]:
    """Return definitions to show at a place, the most relevant first: what its imports lead to.

    Args:
        snapshot: the document.
        root: the folder that is looked through; nothing is shown where it is empty.
        at: the place, in characters.
        n_bytes: the most to show.
        settings: which files are secret.
    """
    if not (root and n_bytes and find_grammar(snapshot.language)):
        return []
    if is_ignored(snapshot.path, root):
        return []
    index, until = Index(Path(root), settings), time.monotonic() + MAX_SECONDS
    for found in walk(Path(root), settings, Path(root)):
        if found is not None:
            index.see(*found, None)
        if time.monotonic() > until:
            break
    path = relative_path(snapshot.path, root)
    index.open(path, snapshot.text)
    document = Document(index, path, snapshot.language, snapshot.text, at)
    return laid_out(choose(document, n_bytes))
