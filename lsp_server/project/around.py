"""What the server shows the model of other files, and what it has shown.

Definitions come from the index of the workspace, for languages that have a grammar; for others, the
beginnings of the other open files. While nothing is to be shown there is no index.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pygls.uris import to_fs_path

from lsp_server.fill.prompts import choose_context
from lsp_server.paths import is_ignored
from lsp_server.project.client import ProjectIndex
from lsp_server.project.messages import Folders
from lsp_server.syntax.languages import find_grammar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lsp_server.documents import DocumentSnapshot
    from lsp_server.mirror import OpenDocuments
    from lsp_server.settings import Settings
    from model_runtime.protocol import ContextFile, InfillRequest


class _Server(Protocol):
    """What is asked of the server."""

    settings: Settings

    @property
    def documents(self) -> OpenDocuments:
        """The open documents."""

    def others(self, uri: str) -> Iterator[DocumentSnapshot]:
        """Photograph the other open documents that may be shown."""

    def root_of(self, path: str) -> str:
        """Return the workspace folder of a file."""

    def roots(self) -> Sequence[str]:
        """Return the workspace folders."""


class Project:
    """The rest of the workspace, to one server.

    Args:
        server: whose.
    """

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.index = ProjectIndex()
        #: Of each document, what was shown last, and what was asked last.
        self._shown: dict[tuple[str, int], tuple[ContextFile, ...]] = {}
        self._asked: dict[str, InfillRequest] = {}

    async def around(
        self, snapshot: DocumentSnapshot, at: int, n_bytes: int, patience_s: float
    ) -> tuple[ContextFile, ...]:
        """Return what of other files to show at a place, the most relevant first.

        Where that is not known in time, it is what was shown last in the document, so that the
        runtime need not encode anything else.

        Args:
            snapshot: the document.
            at: the place, in characters.
            n_bytes: the most to show; nothing for 0.
            patience_s: how long to wait.
        """
        if not n_bytes:
            return ()
        server, root = self._server, self._server.root_of(snapshot.path)
        if not root or find_grammar(snapshot.language) is None:
            others = server.others(snapshot.uri)
            return tuple(
                choose_context(snapshot, others, server.settings, root=root, max_bytes=n_bytes)
            )
        key = snapshot.uri, n_bytes
        if is_ignored(snapshot.path, root) or not await self._is_told(snapshot):
            return ()
        found = await self.index.choose(snapshot, snapshot.text, at, n_bytes, patience_s)
        if found is not None:
            self._shown[key] = found
        return self._shown.get(key, ())

    async def begin(self) -> bool:
        """Start the index where ghost text wants it, for it has to look around first.

        Where only edits do, it is started with the first one.

        Returns:
            whether it runs.
        """
        is_wanted = bool(self._server.settings.inline.context_bytes)
        return is_wanted and await self.index.start(self._folders())

    def changed(self, uris: Iterable[str]) -> None:
        """Take word of files that came, changed or went."""
        paths = (to_fs_path(uri) for uri in uris)
        self.index.changed(path for path in paths if path)

    def remember(self, request: InfillRequest) -> None:
        """Remember what is asked for a document."""
        self._asked[request.document] = request

    def last_asked(self, uri: str) -> InfillRequest | None:
        """Return what was asked last for a document."""
        return self._asked.get(uri)

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._asked.pop(uri, None)
        for key in [key for key in self._shown if key[0] == uri]:
            del self._shown[key]
        if path := to_fs_path(uri):
            self.index.close_document(path)

    async def close(self) -> None:
        """Let the index go."""
        await self.index.close()

    async def _is_told(self, snapshot: DocumentSnapshot) -> bool:
        """Tell the index of every open document; return whether there is one."""
        if not await self.index.start(self._folders()):
            return False
        for other in self._server.others(snapshot.uri):
            if other.path and find_grammar(other.language):
                self.index.open(other.path, other.text)
        return True

    def _folders(self) -> Folders:
        settings = self._server.settings
        roots = tuple(root for root in self._server.roots() if Path(root).is_dir())
        return Folders(roots, settings.secret_files, settings.disabled_languages)
