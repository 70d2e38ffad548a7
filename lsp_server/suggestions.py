"""What was suggested last in each document.

Whoever writes along with it, or accepts a word of it, gets the rest of the same suggestion at once,
and no model is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.edits import to_newlines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.settings import Settings


@dataclass(frozen=True)
class Suggestion:
    """Texts for one place of a document, best first."""

    #: The document up to the place, and from there on.
    before: str
    behind: str
    texts: tuple[str, ...]

    def rest(self, before: str, behind: str) -> list[str]:
        """Return what is left of the texts once the document reads like this.

        Args:
            before: the document up to the cursor.
            behind: from there on.

        Returns:
            Nothing where the document has gone another way, or has all of the texts.
        """
        if behind != self.behind or not before.startswith(self.before):
            return []
        typed = to_newlines(before[len(self.before) :])
        return [
            text[len(typed) :] for text in self.texts if text.startswith(typed) and text != typed
        ]


class Suggestions:
    """The last suggestion of each document, under the settings that it was made with."""

    def __init__(self) -> None:
        self._by_uri: dict[str, tuple[Settings, Suggestion]] = {}

    def remember(
        self, uri: str, settings: Settings, before: str, behind: str, texts: Sequence[str]
    ) -> None:
        """Take the place of the document's earlier one."""
        self._by_uri[uri] = settings, Suggestion(before, behind, tuple(texts))

    def rest(self, uri: str, settings: Settings, before: str, behind: str) -> list[str]:
        """Return what is left of the document's suggestion; see `Suggestion.rest`."""
        made_with, suggestion = self._by_uri.get(uri, (None, None))
        if suggestion is None or made_with != settings:
            return []
        return suggestion.rest(before, behind)

    def forget(self, uri: str) -> None:
        """Drop a document's suggestion, if it has one."""
        self._by_uri.pop(uri, None)
