"""What was suggested last in each document.

Whoever writes along with it, or accepts a word of it, gets the rest of the same suggestion at once,
and no model is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.fill.edits import to_newlines

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
        typed = self._typed(before, behind)
        if typed is None:
            return []
        return [
            text[len(typed) :] for text in self.texts if text.startswith(typed) and text != typed
        ]

    def is_accepted(self, before: str, behind: str) -> bool:
        """Return whether the document reads like this because one of the texts was put in."""
        return self._typed(before, behind) in self.texts

    def _typed(self, before: str, behind: str) -> str | None:
        """Return what was put in at the place since; None where the rest is not the same."""
        if behind != self.behind or not before.startswith(self.before):
            return None
        return to_newlines(before[len(self.before) :])


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
        suggestion = self._made_with(uri, settings)
        return suggestion.rest(before, behind) if suggestion else []

    def is_accepted(self, uri: str, settings: Settings, before: str, behind: str) -> bool:
        """Return whether the document's suggestion was; see `Suggestion.is_accepted`."""
        suggestion = self._made_with(uri, settings)
        return suggestion is not None and suggestion.is_accepted(before, behind)

    def forget(self, uri: str) -> None:
        """Drop a document's suggestion, if it has one."""
        self._by_uri.pop(uri, None)

    def _made_with(self, uri: str, settings: Settings) -> Suggestion | None:
        made_with, suggestion = self._by_uri.get(uri, (None, None))
        return suggestion if made_with == settings else None
