"""Which of the runtime's proposals is offered."""

from __future__ import annotations

import pytest

from lsp_server.documents import DocumentSnapshot
from lsp_server.next_edit.changes import Change
from lsp_server.next_edit.offers import Offers
from model_runtime.protocol import Place, Proposal

TEXT = "def f(a, b):\n    return a\n\n\nf(1)\n"
CHANGE = Change(TEXT.index(", b"), "", ", b")
END = TEXT.index("1)") + 1


def proposal(text: str) -> Proposal:
    """Return what puts a text behind the call's argument."""
    place = Place(start=END, end=END, text=text)
    return Proposal(places=(place,), confidence=0.9, gain=9.0, due=9.0)


@pytest.mark.parametrize("text", [", b", ", g(2)"])
def test_what_parses_is_offered(text: str) -> None:
    """The likeliest that does, whatever was likelier and doesn't."""
    snapshot = DocumentSnapshot("file:///f.py", "/f.py", "python", 1, TEXT, "utf-16")
    broken = [proposal(", g(2"), proposal(") +"), proposal(', "')]
    offer = Offers().make(snapshot, [CHANGE], [*broken, proposal(text)])
    assert offer is not None
    assert [edit.text for edit in offer.edits] == [text]
    assert Offers().make(snapshot, [CHANGE], broken) is None


def test_a_file_that_did_not_parse_before_is_no_reason() -> None:
    """What stands broken elsewhere is not the offer's fault."""
    snapshot = DocumentSnapshot("file:///f.py", "/f.py", "python", 1, f"{TEXT}x = (\n", "utf-16")
    assert Offers().make(snapshot, [CHANGE], [proposal(", b")]) is not None
