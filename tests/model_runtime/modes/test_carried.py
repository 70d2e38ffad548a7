"""Carrying the tail of a prompt along while its head grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import MAX_CONTEXT, Listener, Patience, engine

from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.modes.carried import (
    MAX_UNSEEN,
    MIN_CARRIED,
    N_ANEW,
    N_ANEW_MOVED,
    carriable,
    carry,
)
from model_runtime.protocol import ContextFile, Finished, InfillRequest, Lane, MaskSpan

if TYPE_CHECKING:
    from model_runtime.caches.causal import CausalCache
    from model_runtime.engines.local import LocalEngine
    from model_runtime.models.canvas import CanvasDenoiser

TAIL = [95, *range(20, 60)]


def denoiser() -> CanvasDenoiser:
    """Return a tiny one."""
    model = engine()._model
    assert model is not None
    return model.denoiser


def encoded(head: list[int]) -> CausalCache:
    """Return a cache that stands for a head and the tail."""
    tiny = denoiser()
    cache = tiny.new_cache()
    tiny.encode([*head, *TAIL], cache)
    return cache


def carry_tail(context: list[int], start: int, cache: CausalCache) -> int:
    """Carry what can be, and read up to its end; return how many tokens that is."""
    carried = carriable(context, start, cache)
    if carried is None:
        return 0
    tiny, n_rows = denoiser(), cache.n_rows
    n_common = cache.n_common(context)
    carry(tiny, context, carried, cache)
    tiny.encode(context[: carried.new + carried.n_tokens], cache)
    assert cache.n_rows - n_rows == carried.new - n_common
    return carried.n_tokens


@pytest.mark.parametrize(
    ("before", "after"),
    [([1, 2, 3], [1, 2, 3, 4]), ([1, 2, 3], [1, 2, 9, 8, 7]), ([1, 2, 3, 4], [1, 2])],
)
def test_a_tail_goes_where_it_now_stands(before: list[int], after: list[int]) -> None:
    """The cache then stands for the new context.

    In the first layer, which sees nothing but the token itself, the rows are as if encoded anew.
    """
    cache = encoded(before)
    context = [*after, *TAIL]
    assert carry_tail(context, len(after), cache)
    assert cache.token_ids == context
    (keys, values), (own_keys, own_values) = cache.kept(0), encoded(after).kept(0)
    assert torch.allclose(keys, own_keys, atol=1e-5)
    assert torch.allclose(values, own_values, atol=1e-5)


def test_the_head_is_encoded() -> None:
    """And so is the tail's beginning: only what is behind is taken over."""
    cache = encoded([1, 2, 3])
    assert carry_tail([1, 2, 3, 4, *TAIL], 4, cache)
    own = encoded([1, 2, 3, 4])
    for layer in range(2):
        anew = slice(4 + N_ANEW)
        assert torch.allclose(cache.kept(layer)[0][anew], own.kept(layer)[0][anew], atol=1e-5)


@pytest.mark.parametrize("typed", [[4], [4] * 20, []])
@pytest.mark.parametrize("texts", [[[7]], [[7, 8, 9]], [[7, 8], [7, 9], [6]]])
def test_the_first_step_reads_what_stands_before_it(
    typed: list[int], texts: list[list[int]]
) -> None:
    """In one forward, and to the same end as in two."""
    context = [1, *typed, *TAIL, 96]
    tiny, (once, twice) = denoiser(), (encoded([1, 2, 3]) for _ in range(2))
    for cache in (once, twice):
        carried = carriable(context[:-1], 1 + len(typed), cache)
        assert carried is not None
        carry(tiny, context, carried, cache)
    tiny.encode(context[:-1], twice)
    n_before = once.n_forwards
    judged, expected = (tiny.judge_several(context, texts, each, 3) for each in (once, twice))
    assert once.n_forwards == n_before + 1
    assert once.token_ids == twice.token_ids == context[:-1]
    assert once.n_unseen == twice.n_unseen > 0
    for one, other in zip(judged, expected, strict=True):
        assert torch.allclose(one.own, other.own, atol=1e-4)
        assert torch.equal(one.best_ids, other.best_ids)
    for layer in range(2):
        for rows, others in zip(once.kept(layer), twice.kept(layer), strict=True):
            assert torch.allclose(rows, others, atol=1e-5)


def test_a_canvas_is_settled_with_what_is_carried() -> None:
    """Also where its first step is no judgement: its masks see what was carried."""
    tiny, context = denoiser(), [1, 2, 3, 4, *TAIL, 96]
    token_ids = torch.tensor([*context, *[tiny.mask_id] * 3])
    canvas = Canvas(token_ids, token_ids != tiny.mask_id, tiny.mask_id)
    query = Query(torch.tensor([len(context), len(context) + 1]))
    said = []
    for is_read in (False, True):
        cache = encoded([1, 2, 3])
        carried = carriable(context[:-1], 4, cache)
        assert carried is not None
        carry(tiny, context, carried, cache)
        if is_read:
            tiny.encode(context[:-1], cache)
        said.append(tiny.predict(canvas, query, cache).rows)
        assert cache.token_ids == context
    assert torch.allclose(*said, atol=1e-4)


@pytest.mark.parametrize(
    "other", [[1, 2, 3, 4, 5, *TAIL], [1, 2, 9, *TAIL], [1, 2, 3, 4, *TAIL[:30], 7]]
)
def test_what_is_carried_is_of_its_own_context_alone(other: list[int]) -> None:
    """Whoever comes next with another one gets what is right for that."""
    context, cache, tiny = [1, 2, 3, 4, *TAIL], encoded([1, 2, 3]), denoiser()
    carried = carriable(context, 4, cache)
    assert carried is not None
    carry(tiny, context, carried, cache)
    tiny.encode(other, cache)
    own = tiny.new_cache()
    tiny.encode(other, own)
    assert not cache.n_unseen
    for layer in range(2):
        for rows, others in zip(cache.kept(layer), own.kept(layer), strict=True):
            assert torch.allclose(rows, others, atol=1e-5)


@pytest.mark.parametrize(
    "context",
    [
        [1, 2, 3, 4, TAIL[0], *TAIL[:0:-1]],  # another tail
        [*range(1, MAX_UNSEEN + 5), *TAIL],  # too much was typed
        [1, 2, 3, 4, *TAIL[:N_ANEW]],  # a short one
        [1, 2, 3, *TAIL],  # nothing was typed: it stands there already
    ],
)
def test_what_can_not_be_carried_is_left(context: list[int]) -> None:
    """The cache then is what it was."""
    cache = encoded([1, 2, 3])
    before = list(cache.token_ids)
    assert not carry_tail(context, context.index(TAIL[0]), cache)
    assert cache.token_ids == before


def test_a_tail_is_encoded_again_when_it_has_missed_too_much() -> None:
    """What it has not seen adds up from one character to the next."""
    cache, head = encoded([1, 2, 3]), [1, 2, 3]
    n_carried = 0
    while n_carried <= MAX_UNSEEN:
        head = [*head, 4]
        if not carry_tail([*head, *TAIL], len(head), cache):
            break
        n_carried += 1
    assert n_carried == MAX_UNSEEN
    denoiser().encode([*head, *TAIL], cache)
    assert carry_tail([*head, 4, *TAIL], len(head) + 1, cache)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_cursor_that_moves_takes_the_rest_of_the_file_along(data: st.DataObject) -> None:
    """However many tokens up or down: the rows are those of the tokens, where these now stand.

    In the first layer, which sees nothing but the token itself, they are as if encoded anew.
    """
    lines = data.draw(st.lists(st.integers(1, 90), min_size=150, max_size=180), label="lines")
    n_times = data.draw(st.sampled_from([1, 1, 4]), label="times")
    file = lines * n_times
    was, now = (data.draw(st.integers(0, len(file)), label=at) for at in ("was", "now"))
    tiny, cache, context = denoiser(), denoiser().new_cache(), prompt(file, now)
    tiny.encode(prompt(file, was), cache)
    n_carried = carry_tail(context, now + 1, cache)
    is_near = abs(was - now) < MAX_UNSEEN // 2
    if n_times == 1 and is_near and len(file) - max(was, now) > N_ANEW_MOVED + 2 * MIN_CARRIED:
        assert n_carried or was == now
    if n_carried:
        assert cache.token_ids == context[: len(cache)]
        assert now + 1 + N_ANEW_MOVED <= len(cache) - n_carried
    tiny.encode(context, cache)
    own = tiny.new_cache()
    tiny.encode(context, own)
    for rows, own_rows in zip(cache.kept(0), own.kept(0), strict=True):
        assert torch.allclose(rows, own_rows, atol=1e-5)


def prompt(file: list[int], cursor: int) -> list[int]:
    """Return a file as it is shown with the cursor there."""
    return [91, *file[:cursor], TAIL[0], *file[cursor:], 96]


def ask(
    local: LocalEngine,
    typed: str,
    lane: Lane,
    document: str = "d",
    above: str = "",
    context: tuple[ContextFile, ...] = (),
) -> Finished:
    """Ask for a line behind what is typed."""
    request = InfillRequest(
        id="r", document=document, prefix=f"{above}value = {typed}",
        suffix="\nprint(value)\n" * 4,
        spans=(MaskSpan(max_tokens=6, single_line=True),), lane=lane, seed=1, context=context,
    )  # fmt: skip
    return local.infill(request, Listener(), Patience())


def test_ghost_text_carries_what_an_edit_encodes_anew() -> None:
    """An edit after ghost text is what it would be in a document that nothing is known of."""
    local = engine()
    ask(local, "(", "inline")
    typed = ask(local, "(1, (", "inline")
    assert typed.usage.n_cached_tokens > typed.usage.n_context_tokens - 6 - N_ANEW
    edited, fresh = ask(local, "(1, (", "edit"), ask(local, "(1, (", "edit", "another")
    assert edited.alternatives == fresh.alternatives
    assert edited.usage.n_cached_tokens < typed.usage.n_cached_tokens


def test_a_file_that_does_not_fit_is_not_encoded_at_every_key() -> None:
    """What is cut off above stays the same while something is typed."""
    local, above = engine(), "line = 1\n" * (2 * MAX_CONTEXT // 9)
    ask(local, "", "inline", above=above)
    for typed in ("(", "(1", "(1,"):
        usage = ask(local, typed, "inline", above=above).usage
        assert usage.n_cached_tokens > usage.n_context_tokens - 6 - N_ANEW


def test_an_edit_that_sees_other_files_takes_nothing_from_ghost_text() -> None:
    """Nor the other way round: the two prompts have nothing in common, and both are kept."""
    local, others = engine(), (ContextFile(path="b.py", text="b = 1\n"),)
    ask(local, "", "inline")
    ask(local, "", "edit", context=others)
    for lane, context in (("inline", ()), ("edit", others)):
        usage = ask(local, "", lane, context=context).usage
        assert usage.n_cached_tokens > usage.n_context_tokens - 6
