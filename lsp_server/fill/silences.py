"""Answers that showed nothing, and how long there is no use in asking again."""

from __future__ import annotations

from model_runtime.protocol import HOPELESS


class Silences:
    """The last answer of each document that showed nothing."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}

    def keep(self, uri: str, before: str, began: float) -> None:
        """Take note of one.

        Args:
            uri: of the document.
            before: its text up to the cursor.
            began: how sure the beginning was of what was not shown.
        """
        self._last[uri] = before, began

    def lasts(self, uri: str, before: str, least: float) -> bool:
        """Say whether what was typed since makes nothing surer: marks, behind a hopeless answer.

        Args:
            uri: of the document.
            before: its text up to the cursor.
            least: how sure a text has to be to be shown.
        """
        asked, began = self._last.get(uri, ("", 1.0))
        typed = before[len(asked) :]
        is_hopeless = began < HOPELESS * least and not _says_more(typed)
        return is_hopeless and bool(typed) and before.startswith(asked)

    def forget(self, uri: str) -> None:
        """Forget a document's."""
        self._last.pop(uri, None)


def _says_more(typed: str) -> bool:
    """Say whether a word was begun, or another line."""
    return any(character.isalnum() or character in "_\n\r" for character in typed)
