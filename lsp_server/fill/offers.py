"""Suggestions that were shown, each followed to its end.

Clients say what becomes of one by its item's command and by notifications; where they don't, the
document tells: it reads as if the text had been put in, or it has gone another way.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsp_server.fill.edits import to_newlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.tally import End

    OnEnd = Callable[[str, float | None, End], None]


@dataclass
class Offer:
    """One suggestion in one document."""

    language: str
    #: The document up to the place, and the text.
    before: str
    text: str
    confidence: float | None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_partly: bool = False
    #: Whether the document was seen with a part of the text.
    is_begun: bool = False

    def reads_on(self, before: str) -> bool:
        """Say whether a document is on its way to have the text, up to its cursor."""
        return before.startswith(self.before) and self.text.startswith(self._typed(before))

    def is_there(self, before: str) -> bool:
        """Say whether a document has all of the text."""
        return before.startswith(self.before) and self._typed(before).startswith(self.text)

    def _typed(self, before: str) -> str:
        return before[len(self.before) :]


class Offers:
    """The offer that stands in each document.

    Args:
        on_end: told of each offer's language, confidence and end.
    """

    def __init__(self, on_end: OnEnd) -> None:
        self._on_end = on_end
        self._standing: dict[str, Offer] = {}
        #: The line of each document on which an offer was passed over last.
        self._missed: dict[str, int] = {}

    def standing(self, uri: str) -> Offer | None:
        """Return the document's offer."""
        return self._standing.get(uri)

    def make(self, uri: str, offer: Offer) -> None:
        """Put an offer in the place of the document's earlier one, which was passed over."""
        self.end(uri, "passed")
        self._standing[uri] = offer

    def read(self, uri: str, before: str) -> None:
        """End the document's offer where how it reads now says so.

        Args:
            uri: of the document.
            before: its text up to the cursor.
        """
        offer, before = self._standing.get(uri), to_newlines(before)
        if offer is None:
            return
        if offer.is_there(before):
            # A client that does not tell of accepts puts all of a text in at once.
            self.end(uri, "typed" if offer.is_begun else "accepted")
        elif not offer.reads_on(before):
            self.end(uri, "passed")
        else:
            offer.is_begun = offer.is_begun or len(before) > len(offer.before)

    def has_missed(self, uri: str, before: str) -> bool:
        """Say whether an offer on the line of the cursor was passed over, and none elsewhere since.

        Args:
            uri: of the document.
            before: its text up to the cursor.
        """
        return self._missed.get(uri) == to_newlines(before).count("\n")

    def accept(self, offer_id: str, *, is_whole: bool) -> None:
        """Take note of an offer that was accepted; of an unknown one, of nothing."""
        for uri, offer in list(self._standing.items()):
            if offer.id == offer_id:
                if is_whole:
                    self.end(uri, "accepted")
                else:
                    offer.is_partly = True

    def end(self, uri: str, how: End) -> None:
        """End a document's offer, if it has one."""
        offer = self._standing.pop(uri, None)
        if offer is not None:
            if how == "passed":
                self._missed[uri] = offer.before.count("\n")
            partly = offer.is_partly and how != "accepted"
            self._on_end(offer.language, offer.confidence, "partly" if partly else how)

    def forget(self, uri: str) -> None:
        """Forget all of a document that is closed; who closes it passes its offer over."""
        self.end(uri, "passed")
        self._missed.pop(uri, None)

    def end_all(self) -> None:
        """End every offer: nobody will say what becomes of it."""
        for uri in list(self._standing):
            self.end(uri, "passed")
