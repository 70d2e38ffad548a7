"""The fill that would come next, made while a suggestion is being looked at.

Whoever accepts a suggestion wants the one behind it. Where the user lets it, that one is asked for
as soon as the first is shown, as if it had been accepted; so it is there at once, or sooner. What
is not wanted after all is cancelled.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.fill.edits import to_newlines

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lsp_server.settings import Settings
    from model_runtime.protocol import Finished


@dataclass(frozen=True)
class _Ahead:
    """A fill on its way, and the document that it is for."""

    settings: Settings
    #: The document up to the cursor, and from there on; its lines end with line feeds.
    before: str
    behind: str
    task: asyncio.Task[Finished]


class Prefetch:
    """One fill ahead of each document."""

    def __init__(self) -> None:
        self._by_uri: dict[str, _Ahead] = {}

    def begin(
        self,
        uri: str,
        settings: Settings,
        before: str,
        behind: str,
        work: Coroutine[Any, Any, Finished],
    ) -> None:
        """Start `work`: it fills the document where it will read like this."""
        self.drop(uri)
        task = asyncio.create_task(work)
        # What it raises is raised again where it is awaited; often nobody does.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._by_uri[uri] = _Ahead(settings, to_newlines(before), to_newlines(behind), task)

    def take(
        self, uri: str, settings: Settings, before: str, behind: str
    ) -> asyncio.Task[Finished] | None:
        """Return the fill of a document that reads like this; one for another text is given up."""
        ahead = self._by_uri.get(uri)
        if ahead is not None:
            now = settings, to_newlines(before), to_newlines(behind)
            if now == (ahead.settings, ahead.before, ahead.behind):
                del self._by_uri[uri]
                return ahead.task
            self.drop(uri)
        return None

    def drop(self, uri: str) -> None:
        """Give a document's fill up, if there is one."""
        if ahead := self._by_uri.pop(uri, None):
            ahead.task.cancel()
