"""dKV-Cache: what is fed at each step."""

from __future__ import annotations

import torch

from model_runtime.caches.base import Rows
from model_runtime.caches.delayed import DelayedCache

MASK = 9


def fed(cache: DelayedCache, token_ids: list[int], needed: int) -> list[int]:
    """Feed a canvas, asking about one row."""
    tokens = torch.tensor(token_ids)
    every = torch.arange(len(tokens))
    rows = Rows(
        token_ids=tokens,
        positions=every,
        horizon=torch.full_like(tokens, len(tokens)),
        settled=tokens != MASK,
        needed=every == needed,
    )
    return cache.feed(rows).tolist()


def test_a_token_is_kept_one_step_after_it_was_decoded() -> None:
    """Masks are fed at every step, a decoded token once more, and then no longer."""
    cache = DelayedCache()

    assert fed(cache, [1, MASK, MASK, 4], 1) == [0, 1, 2, 3]
    assert fed(cache, [1, 2, MASK, 4], 2) == [1, 2]
    assert fed(cache, [1, 2, MASK, 4], 2) == [2]
    assert fed(cache, [1, 2, 3, 4], 2) == [2]
    assert fed(cache, [1, 2, 3, 4], 0) == [0]


def test_everything_is_refreshed_by_change() -> None:
    """After so many changed tokens all rows are fed; where nothing changes, never."""
    cache = DelayedCache(refresh_changes=3)
    canvases = [
        [1, MASK, MASK, MASK, MASK],
        [1, 2, MASK, MASK, MASK],
        [1, 2, MASK, MASK, MASK],
        [1, 2, MASK, MASK, MASK],
        [1, 2, 3, 4, MASK],
        [1, 2, 3, 4, MASK],
    ]

    n_fed = [len(fed(cache, canvas, 4)) for canvas in canvases]

    # The third change is one of the two in the fifth forward.
    assert n_fed == [5, 4, 3, 3, 5, 1]


def test_a_corrected_token_is_fed_again() -> None:
    """A rule that takes a token back, or replaces it, gets no stale row."""
    cache = DelayedCache()
    fed(cache, [1, 2, 3, MASK], 3)

    assert fed(cache, [1, 5, 3, MASK], 3) == [1, 3]
    assert fed(cache, [1, 5, MASK, MASK], 3) == [2, 3]
