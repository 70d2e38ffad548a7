"""What is offered of each document, and what was turned down.

An offer holds for the text it was made from and for no other; what the user dismissed is not
offered again after the same edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.documents import LINE_END, Span
from lsp_server.fill.edits import Replacement, apply_replacements
from lsp_server.syntax.check import find_new_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsp_server.documents import DocumentSnapshot
    from lsp_server.next_edit.changes import Change
    from model_runtime.protocol import Place, Proposal


@dataclass(frozen=True)
class Offer:
    """Places of a document that are put right together."""

    snapshot: DocumentSnapshot
    #: In the order of the document.
    edits: tuple[Replacement, ...]
    #: What the user replaced by what.
    cause: tuple[str, str]
    confidence: float
    #: The document that the user replaced it in; mostly the same.
    source: str

    @property
    def title(self) -> str:
        """What is offered, for the user."""
        n = len(self.edits)
        return f"Put right what the last edit left: {n} place{'s' if n > 1 else ''}"

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What is dismissed with it: wherever the places move to, it is the same offer."""
        replaced = {self.snapshot.text[edit.span.start : edit.span.end] for edit in self.edits}
        return (*self.cause, tuple(sorted(replaced)))

    def from_place(self, offset: int) -> list[Replacement]:
        """Return the edits, from the one nearest to an offset on, and round."""

        def distance(edit: Replacement) -> tuple[int, int]:
            first, last = sorted((edit.span.start, offset))
            between = self.snapshot.text[first:last]
            return len(LINE_END.findall(between)), len(between)

        at = self.edits.index(min(self.edits, key=distance))
        return [*self.edits[at:], *self.edits[:at]]


class Offers:
    """The last offer of each document, and the dismissed ones."""

    def __init__(self) -> None:
        self._by_uri: dict[str, Offer] = {}
        self._dismissed: dict[str, set[tuple[str, str, tuple[str, ...]]]] = {}

    def make(
        self,
        snapshot: DocumentSnapshot,
        changes: Sequence[Change],
        proposals: Iterable[Proposal],
        cursor: int | None = None,
        source: str = "",
    ) -> Offer | None:
        """Keep and return the first proposal that was not dismissed; None where there is none.

        What would break the file's syntax is none.

        Args:
            snapshot: the document; proposals are places of its text with line feeds for line ends.
            changes: what they follow from.
            proposals: the likeliest first.
            cursor: where the user types, in the document: no place of an offer holds it.
            source: the document that was changed, where it is another one.
        """
        self._by_uri.pop(snapshot.uri, None)
        dismissed = self._dismissed.get(snapshot.uri, set())
        for proposal in proposals:
            edits = tuple(_placed(snapshot, proposal.places))
            is_typed_at = cursor is not None and any(
                edit.span.start <= cursor <= edit.span.end for edit in edits
            )
            cause = (changes[0].old, changes[0].new)
            offer = Offer(snapshot, edits, cause, proposal.confidence, source or snapshot.uri)
            if is_typed_at or offer.key in dismissed or not edits:
                continue
            if not _breaks(snapshot, edits):
                self._by_uri[snapshot.uri] = offer
                return offer
        return None

    def current(self, snapshot: DocumentSnapshot) -> Offer | None:
        """Return a document's offer, if it holds for the text as it stands."""
        offer = self._by_uri.get(snapshot.uri)
        return offer if offer is not None and offer.snapshot.text == snapshot.text else None

    def dismiss(self, uri: str) -> None:
        """Turn down, for good, what is offered in a document or because of it."""
        for place, offer in list(self._by_uri.items()):
            if uri in (place, offer.source):
                self._dismissed.setdefault(place, set()).add(offer.key)
                del self._by_uri[place]

    def withdraw(self, source: str) -> None:
        """Take back what other documents are offered because of one that has changed since."""
        for place, offer in list(self._by_uri.items()):
            if offer.source == source != place:
                del self._by_uri[place]

    def forget(self, uri: str) -> None:
        """Forget all of a document, and what is offered because of it."""
        self.withdraw(uri)
        self._by_uri.pop(uri, None)
        self._dismissed.pop(uri, None)


def _breaks(snapshot: DocumentSnapshot, edits: Sequence[Replacement]) -> bool:
    """Say whether a document parses worse with some edits than without."""
    after = apply_replacements(snapshot.text, edits)
    return bool(find_new_faults(snapshot.language, snapshot.text, after))


def _placed(snapshot: DocumentSnapshot, places: Sequence[Place]) -> Iterable[Replacement]:
    """Yield places of the text with line feeds as places of the document."""
    shifts = [found.end() for found in LINE_END.finditer(snapshot.text) if len(found.group()) > 1]
    for place in places:
        start, end = (_moved(offset, shifts) for offset in (place.start, place.end))
        yield Replacement(Span(start, end), place.text)


def _moved(offset: int, shifts: Sequence[int]) -> int:
    for end in shifts:
        # Behind a line end of two characters everything stands one farther.
        if offset + 1 < end:
            break
        offset += 1
    return offset
