"""Notebooks: to the model all cells are one file, to the editor each is a document of its own.

What stands in the cells before one is part of its prefix, what stands in those behind it part of
its suffix; text between the code reads as comments. An edit touches the cell that it was asked for.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import to_fs_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsp_server.documents import DocumentSnapshot
    from lsp_server.mirror import OpenDocuments

#: Every cell of every notebook.
SYNC = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithNotebook(
            notebook="*", cells=[types.NotebookCellLanguage(language="*")]
        )
    ]
)

#: How much of the cells on one side is shown, in characters: more than any model reads.
MAX_CHARACTERS = 100_000

#: What a line comment begins with, by language id; "#" for all others.
_COMMENTS = {
    "//": "javascript typescript java c cpp csharp fsharp go rust scala kotlin swift php dart",
    "--": "sql lua haskell",
    "%": "matlab latex prolog",
    ";": "clojure lisp scheme",
}
_MARK_OF = {language: mark for mark, names in _COMMENTS.items() for language in names.split()}
_MARKDOWN = "markdown"

#: The line at the foot of an interactive window is a document beside the notebook above it.
_INTERACTIVE_INPUT = re.compile(r"vscode-interactive-input:.*/InteractiveInput-(\d+)$")


def in_notebook(snapshot: DocumentSnapshot, documents: OpenDocuments) -> DocumentSnapshot:
    """Return a snapshot that knows what its notebook has around it; as it was where it is no cell.

    Args:
        snapshot: of a document that may be a cell.
        documents: the workspace, which knows the notebooks.
    """
    notebook = _notebook_of(snapshot.uri, documents)
    if notebook is None:
        return snapshot
    cells = [cell for cell in notebook.cells if documents.opened(cell.document)]
    uris = [cell.document for cell in cells]
    index = uris.index(snapshot.uri) if snapshot.uri in uris else len(cells)
    language = snapshot.language
    before = [_as_read(cell, language, documents) for cell in reversed(cells[:index])]
    behind = [_as_read(cell, language, documents) for cell in cells[index + 1 :]]
    path = to_fs_path(notebook.uri) if notebook.uri.startswith("file:") else ""
    return replace(
        snapshot,
        path=path or "",
        before="".join(f"{text}\n\n" for text in reversed(list(_nearest(before)))),
        behind="".join(f"\n\n{text}" for text in _nearest(behind)),
    )


def _notebook_of(uri: str, documents: OpenDocuments) -> types.NotebookDocument | None:
    own: types.NotebookDocument | None = documents.get_notebook_document(cell_uri=uri)
    if own:
        return own
    if found := _INTERACTIVE_INPUT.match(uri):
        name = f"Interactive-{found[1]}.interactive"
        notebooks: Iterable[types.NotebookDocument] = documents.notebook_documents.values()
        return next((each for each in notebooks if PurePath(each.uri).name == name), None)
    return None


def _as_read(cell: types.NotebookCell, language: str, documents: OpenDocuments) -> str:
    """Return a cell's text as it reads in a file of a language."""
    document = documents.opened(cell.document)
    assert document is not None  # noqa: S101  # `in_notebook` left the others out
    text: str = document.source.strip("\r\n")
    is_text = cell.kind == types.NotebookCellKind.Markup
    if language == _MARKDOWN:
        return text if is_text else f"```{document.language_id}\n{text}\n```"
    if not is_text and document.language_id == language:
        return text
    mark = _MARK_OF.get(language, "#")
    return "\n".join(f"{mark} {line}".rstrip() for line in text.splitlines())


def _nearest(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts, the nearest first, up to where they are enough; blank ones are left out."""
    n_characters = 0

    def fits(text: str) -> bool:
        nonlocal n_characters
        n_characters += len(text)
        return n_characters <= MAX_CHARACTERS

    return takewhile(fits, filter(str.strip, texts))
