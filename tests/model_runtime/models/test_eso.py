"""Eso-LM in decoding order: what a row sees is what the question says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tiny

from model_runtime.caches.eso import EsoCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query

if TYPE_CHECKING:
    from model_runtime.caches.base import Rows

LENGTH = 12
VARIANTS = ["eso", "eso-mixed"]


class Noting(EsoCache):
    """Notes how many rows each forward computes."""

    def __init__(self) -> None:
        super().__init__()
        self.n_fed: list[int] = []

    def feed(self, rows: Rows) -> torch.Tensor:
        """Note it."""
        fed = super().feed(rows)
        self.n_fed.append(len(fed))
        return fed


def canvas_of(mask_id: int, n_clean: int, order: torch.Tensor) -> Canvas:
    """Make a canvas on which the first `n_clean` positions of the order are clean."""
    token_ids = torch.randint(0, 50, (LENGTH,), generator=torch.Generator().manual_seed(2))
    given = torch.zeros(LENGTH, dtype=torch.bool).index_fill(0, order[:n_clean], value=True)
    return Canvas(token_ids.where(given, mask_id), given, mask_id)


def predict(variant: str, canvas: Canvas, query: Query) -> torch.Tensor:
    """Ask without a cache."""
    return tiny.tiny(variant).predict(canvas, query, NoCache()).rows


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_one_question_about_many_contexts_is_many_questions(data: st.DataObject) -> None:
    """Rows that see different numbers of clean tokens get what each gets alone (version B)."""
    order = torch.tensor(data.draw(st.permutations(range(LENGTH))))
    ranks = data.draw(st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=6))
    visible = torch.tensor([data.draw(st.integers(0, rank)) for rank in ranks])
    canvas = canvas_of(63, LENGTH, order)
    positions = order[ranks]

    rows = predict("eso", canvas, Query(positions, order=order, visible=visible))

    for index in range(len(ranks)):
        single = Query(positions[index, None], order=order, visible=visible[index, None])
        torch.testing.assert_close(
            rows[index], predict("eso", canvas, single)[0], atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_row_does_not_see_the_token_it_is_about(variant: str) -> None:
    """Asked about a token that stands, a row answers as if it were masked."""
    order = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(4))
    before = canvas_of(63, 7, order)
    after = canvas_of(63, 8, order)
    position = order[7, None]

    rows = predict(variant, after, Query(position, order=order, visible=torch.tensor([8])))

    expected = predict(variant, before, Query(position, order=order, visible=torch.tensor([7])))
    torch.testing.assert_close(rows, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_an_order_clean_tokens_come_first(variant: str) -> None:
    """A rule that knows no order gets one row for each mask, all seeing every clean token."""
    clean, masks = torch.tensor([0, 1, 4, 7, 8, 11]), torch.tensor([2, 3, 5, 6, 9, 10])
    order = torch.cat((clean, masks))
    canvas = canvas_of(63, len(clean), order)

    rows = predict(variant, canvas, Query(masks))

    visible = torch.full_like(masks, len(clean))
    expected = predict(variant, canvas, Query(masks, order=order, visible=visible))
    assert torch.equal(rows, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_number_of_visible_tokens_counts_from_the_left(variant: str) -> None:
    """Without an order, `visible` is about the canvas as it is written."""
    order = torch.arange(LENGTH)
    canvas = canvas_of(63, 5, order)
    visible = torch.tensor([5, 5])

    rows = predict(variant, canvas, Query(torch.tensor([5, 6]), visible=visible))

    expected = predict(variant, canvas, Query(torch.tensor([5, 6]), order=order, visible=visible))
    assert torch.equal(rows, expected)


def test_a_mask_of_another_context_is_not_reused() -> None:
    """Two questions may lay the same masks down at the same places, and mean other contexts."""
    family, cache = tiny.tiny("eso"), EsoCache()
    order = torch.arange(LENGTH)
    canvas = canvas_of(63, 8, order)
    family.predict(
        canvas, Query(torch.tensor([3, 3]), order=order, visible=torch.tensor([1, 3])), cache
    )
    query = Query(torch.tensor([2, 4]), order=order, visible=torch.tensor([1, 3]))

    rows = family.predict(canvas, query, cache).rows

    torch.testing.assert_close(rows, predict("eso", canvas, query), atol=1e-4, rtol=0)


def test_decoding_feeds_each_token_once_and_each_mask_once() -> None:
    """With its cache, version B computes the newly clean tokens and the step's masks, no more."""
    family, cache = tiny.tiny("eso"), Noting()
    order = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(1))
    n_clean = 0
    for k in (3, 4, 1, 1, 3):
        canvas = canvas_of(63, n_clean, order)
        query = Query(order[n_clean : n_clean + k], order=order, visible=torch.full((k,), n_clean))
        family.predict(canvas, query, cache)
        n_clean += k

    assert cache.n_fed == [3, 3 + 4, 4 + 1, 1 + 1, 1 + 3]
