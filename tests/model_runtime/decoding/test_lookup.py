"""Drafts looked up in the text."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.decoding.lookup import chances_of, followers, repeated


def drafted(text: str, shortest: int = 2, n_next: int = 4) -> str:
    """Return what is looked up for a text of one-letter tokens."""
    token_ids = torch.tensor([ord(letter) for letter in text])
    return "".join(map(chr, repeated(token_ids, shortest, n_next)[0]))


def test_what_followed_then_is_drafted_now() -> None:
    """The latest place counts where several are equally long."""
    assert drafted("self.item = self") == ".ite"
    assert drafted("ab1 ab2 ab", n_next=1) == "2"


def test_the_longest_agreement_counts() -> None:
    """An earlier place that agrees in more tokens is better evidence."""
    assert drafted("xab1 yab2 xab", n_next=1) == "1"


def test_nothing_is_drafted_without_a_repeat() -> None:
    """One common token is not enough for two, and a text has to be longer than what repeats."""
    assert drafted("abcdea", shortest=2) == ""
    assert drafted("abcdea", shortest=1) == "bcde"
    assert drafted("a", shortest=1) == ""
    assert drafted("", shortest=1) == ""


@given(st.text("abc", max_size=30), st.integers(1, 4), st.integers(1, 6))
def test_a_draft_stood_behind_the_same_tokens(text: str, shortest: int, n_next: int) -> None:
    """Whatever is drafted did follow the last `shortest` tokens once; what recurs is found."""
    draft = drafted(text, shortest, n_next)

    assert len(draft) <= n_next
    recurs = len(text) >= shortest and text[-shortest:] in text[:-1]
    assert bool(draft) == recurs
    assert not draft or text[-shortest:] + draft in text


@given(st.text("abc", max_size=30), st.sampled_from("abc"))
def test_followers_are_counted(text: str, letter: str) -> None:
    """Each token that stands behind the one, as often as it does."""
    token_ids, counts = followers(torch.tensor([ord(one) for one in text]), ord(letter))

    found = dict(zip(map(chr, token_ids.tolist()), counts.tolist(), strict=True))
    behind = [after for before, after in pairwise(text) if before == letter]
    assert found == Counter(behind)


@given(st.integers(1, 16), st.integers(0, 12))
def test_a_longer_agreement_is_trusted_more(n_agreed: int, n_drafts: int) -> None:
    """And each draft more than the one before it, which it takes for right."""
    chances = chances_of(n_agreed, n_drafts)
    assert len(chances) == n_drafts
    assert chances == sorted(chances)
    assert all(0 < chance < 1 for chance in chances)
    assert chances_of(n_agreed + 1, n_drafts)[:-1] == chances[1:]
