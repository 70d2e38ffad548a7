"""The recent edits of the open documents, kept in memory and nowhere else.

A document's text rests where its user goes to work somewhere else in it. What lies between the
last rest and now is the edit that counts; those before it are remembered as the texts they began
from, so that undo, which brings back such a text, takes its edit back with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsp_server.next_edit.changes import hull, meant

if TYPE_CHECKING:
    from lsp_server.next_edit.changes import Change

#: Edits remembered of a document, and the largest document whose edits are.
MAX_EDITS = 8
MAX_CHARACTERS = 150_000
#: Lines that may lie between two changes of one edit.
NEAR = 1


@dataclass
class _Document:
    #: As it stood before the edit that counts, and before those before that.
    rests: deque[str]
    text: str
    #: Replacements of earlier edits: what they took out and put in.
    done: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=MAX_EDITS))

    def take_back(self) -> None:
        """Forget where the text rested last."""
        self.rests.pop()
        if self.done:
            self.done.pop()


class RecentEdits:
    """What the user did to each open document."""

    def __init__(self) -> None:
        self._documents: dict[str, _Document] = {}

    def open(self, uri: str, text: str) -> None:
        """Begin: nothing was edited yet."""
        self._documents.pop(uri, None)
        if len(text) <= MAX_CHARACTERS:
            self._documents[uri] = _Document(deque([text], maxlen=MAX_EDITS), text)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)

    def change(self, uri: str, text: str) -> None:
        """Take what the editor made of a document, in however many steps."""
        document = self._documents.get(uri)
        if document is None or len(text) > MAX_CHARACTERS:
            return self.open(uri, text)
        if text in document.rests:
            # Undone: back to where an edit began, and the one before it counts again.
            while document.rests[-1] != text:
                document.take_back()
            if len(document.rests) > 1:
                document.take_back()
        elif not _goes_on(document.rests[-1], document.text, text):
            for change in meant(document.rests[-1], document.text)[:1]:
                document.done.append((change.old, change.new))
            document.rests.append(document.text)
        document.text = text
        return None

    def last(self, uri: str) -> list[Change]:
        """Return the last edit: one change of the text as it stands, or the same at several places.

        Edits before it that made the same replacement belong to it.
        """
        document = self._documents.get(uri)
        if document is None:
            return []
        found = meant(document.rests[-1], document.text)
        if not found:
            return []
        # The same replacement, made one after the other: all of it is one change.
        for n_back in range(2, len(document.rests) + 1):
            together = meant(document.rests[-n_back], document.text)
            if {(c.old, c.new) for c in together} != {(c.old, c.new) for c in found}:
                break
            found = together
        return found

    def is_reversal(self, uri: str, old: str, new: str) -> bool:
        """Return whether a replacement would take back what the user did."""
        document = self._documents.get(uri)
        if document is None:
            return False
        changes = {(change.old, change.new) for change in self.last(uri)}
        return (new, old) in {*document.done, *changes}


def _goes_on(rest: str, before: str, after: str) -> bool:
    """Return whether a change goes on with the edit that began at `rest`."""
    done, now = hull(rest, before), hull(before, after)
    if done is None or now is None:
        return True
    # Both in the text between the two: what stands between them says how far apart they are.
    first, second = sorted([(done.start, done.end), (now.start, now.start + len(now.old))])
    between = before[first[1] : second[0]]
    return between.count("\n") <= NEAR and len(between) <= _MAX_BETWEEN


#: Characters that may lie between two changes of one edit.
_MAX_BETWEEN = 120
