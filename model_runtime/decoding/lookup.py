"""Drafts from the text itself: what was said once is often said again.

Prompt lookup (Saxena 2023; Yang et al. 2023, arXiv 2304.04487, with the context as the reference):
where the last tokens stood before, what followed them then is drafted now. It costs no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Longer repeats are not told apart: the latest of them is taken.
_LONGEST = 8


def repeated(token_ids: Tensor, shortest: int, n_next: int) -> list[int]:
    """Return what followed the last time that the text ended as it ends now.

    Of several places the one with the longest common end counts, and of those the latest.

    Args:
        token_ids: [length] int64.
        shortest: so many tokens have to agree, at least 1.
        n_next: how many tokens to return at most.

    Returns:
        tokens to draft, none where the end of the text did not stand before.
    """
    last = len(token_ids) - 1
    # Where the last token stood before; then, where the last two did, and so on.
    places = (token_ids[:-1] == token_ids[-1:]).nonzero().squeeze(1)
    longest = None
    for n_more in range(1, _LONGEST + 1):
        if len(places) == 0:
            break
        if n_more >= shortest:
            longest = int(places[-1])
        places = places[places >= n_more]
        places = places[token_ids[places - n_more] == token_ids[last - n_more]]
    if longest is None:
        return []
    return token_ids[longest + 1 : longest + 1 + n_next].tolist()


def followers(token_ids: Tensor, token_id: int) -> tuple[Tensor, Tensor]:
    """Return which tokens [n] follow a token in the text, and how often each does [n]."""
    places = (token_ids[:-1] == token_id).nonzero().squeeze(1)
    found, counts = token_ids[places + 1].unique(return_counts=True)
    return found, counts
