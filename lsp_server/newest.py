"""Of what is asked about a document only the newest is worth an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

T = TypeVar("T")


class Newest:
    """One running task a document: a newer one ends the older."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def run(self, uri: str, work: Coroutine[Any, Any, T]) -> T | None:
        """Await `work`; None where a newer one, or `drop`, ends it before it is done.

        Raises:
            asyncio.CancelledError: the client gave this request up itself.
        """
        self.drop(uri)
        task = asyncio.create_task(work)
        self._running[uri] = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._running.get(uri) is task:
                raise
            return None
        finally:
            if self._running.get(uri) is task:
                del self._running[uri]

    def drop(self, uri: str) -> None:
        """End a document's task, if it has one."""
        if task := self._running.pop(uri, None):
            task.cancel()
