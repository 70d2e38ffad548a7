"""Suggestions, each followed to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.fill.offers import Offer, Offers

if TYPE_CHECKING:
    from lsp_server.tally import End

URI = "file:///a.py"
Ends = list[tuple[str, float | None, "End"]]


@pytest.fixture
def ends() -> Ends:
    """What ended how."""
    return []


def made(ends: Ends, before: str = "x = ", text: str = "f(1)") -> tuple[Offers, Offer]:
    """Return an offer that stands."""
    offers = Offers(lambda *end: ends.append(end))
    offer = Offer("python", before, text, 0.7)
    offers.make(URI, offer)
    return offers, offer


def test_a_client_tells_of_an_accept(ends: Ends) -> None:
    """It ends the offer, once."""
    offers, offer = made(ends)

    offers.accept(offer.id, is_whole=True)
    offers.accept(offer.id, is_whole=True)
    offers.read(URI, "x = f(1)")

    assert ends == [("python", 0.7, "accepted")]


def test_a_part_is_counted_once_it_is_known_to_be_all(ends: Ends) -> None:
    """Whoever accepts a word and goes another way has taken a part of it."""
    offers, offer = made(ends)

    offers.accept(offer.id, is_whole=False)
    assert ends == []
    offers.read(URI, "x = f[")

    assert ends == [("python", 0.7, "partly")]


@pytest.mark.parametrize(
    ("reads", "end"),
    [
        (["x = f", "x = f(1)"], "typed"),
        (["x = f(1)\n"], "accepted"),
        (["x = f", "x = g"], "passed"),
        (["x ="], "passed"),
    ],
)
def test_the_document_tells_where_the_client_does_not(
    ends: Ends, reads: list[str], end: str
) -> None:
    """It has the text, bit by bit or at once, or has gone another way."""
    offers, _ = made(ends)

    for before in reads:
        offers.read(URI, before)

    assert [one[2] for one in ends] == [end]


@given(
    st.lists(
        st.one_of(
            st.just("make"),
            st.just("close"),
            st.tuples(st.just("accept"), st.booleans()),
            st.tuples(st.just("read"), st.sampled_from(["", "x = ", "x = f", "x = f(1)", "y"])),
        )
    )
)
def test_each_offer_ends_once(steps: list[str | tuple[str, bool | str]]) -> None:
    """Whatever happens, in whatever order."""
    ends: Ends = []
    offers = Offers(lambda *end: ends.append(end))
    n_made, last_id = 0, ""
    for step in steps:
        if step == "make":
            offer = Offer("python", "x = ", "f(1)", 0.7)
            offers.make(URI, offer)
            n_made, last_id = n_made + 1, offer.id
        elif step == "close":
            offers.end(URI, "passed")
        elif step[0] == "accept":
            offers.accept(last_id, is_whole=bool(step[1]))
        else:
            offers.read(URI, str(step[1]))
    offers.end_all()

    assert len(ends) == n_made


def test_a_document_that_is_closed_has_missed_nothing(ends: Ends) -> None:
    """Its offer was passed over; opened again it begins anew."""
    offers, _ = made(ends)

    offers.forget(URI)

    assert ends == [("python", 0.7, "passed")]
    assert not offers.has_missed(URI, "x = ")
