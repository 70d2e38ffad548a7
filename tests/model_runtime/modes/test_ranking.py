"""Alternatives: where they come from, and which is put first."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import Listener, Patience, ask, engine, job_of, tokenizer

from model_runtime.caches.causal import CausalCache
from model_runtime.modes.branching import branches, departures
from model_runtime.modes.ranking import distinct, ranked
from model_runtime.protocol import Alternative, InfillRequest, MaskSpan
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.samplers.low_confidence import LowConfidence, LowConfidenceParams

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.modes.job import AnySampler, Job

TOKENIZER = tokenizer()


def job(suffix: str = "\n    return a\n", prefix: str = "def f():\n    a = ") -> Job:
    """Return a job of the tiny engine, nothing done yet."""
    request = InfillRequest(
        id="r", prefix=prefix, suffix=suffix, spans=(MaskSpan(max_tokens=12),), n_alternatives=6
    )
    return job_of(request)


@given(texts=st.lists(st.lists(st.integers(0, 90), min_size=1, max_size=8), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_texts_judged_together_are_judged_alone(texts: list[list[int]]) -> None:
    """One forward for all of them says of each what one of its own would."""
    context = TOKENIZER.encode("some context")
    together = job().judge_several(context, texts, n_best=2)
    for text, judged in zip(texts, together, strict=True):
        (alone,) = job().judge_several(context, [text], n_best=2)
        torch.testing.assert_close(judged.own, alone.own)
        torch.testing.assert_close(judged.best, alone.best)


def test_ranking_leaves_the_context_encoded() -> None:
    """The same once more finds all of it in the cache, what follows the span too."""
    local = engine()
    request = InfillRequest(
        id="r", document="ranked", prefix="def f():\n    a = ", suffix="\n    return a\n",
        spans=(MaskSpan(max_tokens=6),), n_alternatives=3, seed=1,
    )  # fmt: skip
    first, again = (local.infill(request, Listener(), Patience()) for _ in range(2))
    assert again.alternatives == first.alternatives
    assert len({one.score for one in first.alternatives}) > 1
    missing = [one.usage.n_context_tokens - one.usage.n_cached_tokens for one in (first, again)]
    assert missing[1] <= len(first.alternatives) < missing[0]


@pytest.mark.parametrize(
    ("texts", "n_forwards"),
    [
        # Each of them of its own.
        ([[first] * 200 for first in (5, 6, 7, 8)], 2),
        # One of them is the beginning of the next.
        ([[5] * 300, [5] * 200, [*[5] * 299, 6]], 1),
        ([[5]], 1),
    ],
)
def test_many_texts_are_judged_in_as_few_forwards_as_fit(
    texts: list[list[int]], n_forwards: int
) -> None:
    """What they have in common counts once, and so does what they stand behind."""
    working = job()
    before = working.cache.n_forwards
    judged = working.judge_several([1, 2, 3], texts)
    assert working.cache.n_forwards - before == n_forwards
    assert [len(one.own) for one in judged] == [len(text) for text in texts]


class CountingCache(CausalCache):
    """Counts the rows that were computed, kept or not."""

    n_fed = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Count them in the first layer."""
        self.n_fed += len(keys) if layer == 0 else 0
        return super().extend(layer, keys, values)


def test_what_alternatives_share_is_computed_once() -> None:
    """The context is encoded for the first fill; for every other one only what is new is fed."""
    working = job(prefix="def f():\n" + "    a = a + 1\n" * 20)
    config = working.model.denoiser.model.config
    cache = CountingCache(config.n_layers, config.n_kv_heads, config.head_dim)
    working.cache = cache
    laid_out = working.lay_out([""], 0)
    n_context = len(laid_out.context)
    with torch.inference_mode():
        working.settle(working.sampler, laid_out, [""], 0)
        n_first = cache.n_fed
        working.settle(working.sampler, working.lay_out([""], 0), [""], 0)
    assert n_first >= n_context
    assert cache.n_fed - n_first < n_context


@pytest.mark.parametrize("seed", range(4))
def test_what_follows_has_its_say(seed: int) -> None:
    """A fill's place depends on the text behind it, though the fills are the same."""
    fills = [Alternative(texts=(f"x{seed}{letter}",)) for letter in "abcdef"]
    orders = {
        tuple(one.texts[0] for one in ranked(job(suffix), fills))
        for suffix in ("\n    return a\n", " + 1)\n", "zzz")
    }
    assert len(orders) > 1
    for order in orders:
        assert sorted(order) == [one.texts[0] for one in fills]


def test_a_single_result_costs_no_score() -> None:
    """Nothing is judged where there is nothing to choose."""
    working = job()
    (only,) = ranked(working, [Alternative(texts=("x",)), Alternative(texts=("x",))])
    assert only.score is None
    assert working.cost.n_forwards == 0


def test_where_nothing_follows_the_order_stays() -> None:
    """The file's end says nothing about a fill; the model's own order does."""
    fills = [Alternative(texts=(letter,)) for letter in "cab"]
    assert ranked(job("\n"), fills) == fills


@pytest.mark.parametrize("seed", range(3))
def test_where_only_the_best_counts_fewer_are_made(seed: int) -> None:
    """The plain fill is always among them; what has no chance is not tried."""
    (plain,) = ask("", weights=seed).alternatives
    best = ask("", weights=seed, n_alternatives=5, best_only=True)
    several = ask("", weights=seed, n_alternatives=5)
    assert plain.texts in [one.texts for one in best.alternatives]
    assert len(best.alternatives) <= len(several.alternatives)
    assert best.usage.n_forwards <= several.usage.n_forwards


@pytest.mark.parametrize(("single_line", "n_most"), [(True, 4), (False, 2)])
def test_where_the_best_counts_others_are_made_unasked(*, single_line: bool, n_most: int) -> None:
    """Few, and neither where they would be several spans' nor where they would need a judge."""
    (plain,) = ask("", n_alternatives=1).alternatives
    fields = {"spans": (MaskSpan(single_line=single_line, max_tokens=12),), "n_alternatives": 1}
    found = ask("", best_only=True, **fields).alternatives
    asked = ask("", **{**fields, "n_alternatives": n_most}, best_only=True).alternatives
    assert 1 < len(found) <= n_most
    assert found == asked
    assert plain.texts in [one.texts for one in found]
    assert len(ask("", best_only=True, instruction="add", **fields).alternatives) == 1
    assert len(ask("", "", best_only=True).alternatives) == 1


@pytest.mark.parametrize("seed", range(4))
def test_of_several_spans_each_has_its_best_fill(seed: int) -> None:
    """It is what the span would get alone, the spans before it filled and those behind it empty."""
    fields = {"weights": seed, "best_only": True}
    line = MaskSpan(single_line=True, max_tokens=12)
    spans = (MaskSpan(following="; y = ", single_line=True, max_tokens=12), line)
    first, second = ask(spans=spans, suffix="\nend\n", **fields).alternatives[0].texts
    alone = ask(spans=(line,), suffix="; y = \nend\n", **fields).alternatives[0].texts
    assert alone == (first,)
    prefix = f"x = {first}; y = "
    alone = ask(spans=(line,), prefix=prefix, suffix="\nend\n", **fields).alternatives[0].texts
    assert alone == (second,)


def test_distinct_keeps_the_first() -> None:
    """Of equal texts."""
    found = distinct(Alternative(texts=(text,), finish="closed") for text in "abac")
    assert [one.texts[0] for one in found] == ["a", "b", "c"]


@pytest.mark.parametrize("seed", range(3))
def test_branches_differ_from_the_likeliest_text_in_one_place(seed: int) -> None:
    """The plain fill is among its alternatives, and each other shares a beginning with one."""
    (plain,) = ask("", weights=seed).alternatives
    alternatives = ask("", weights=seed, n_alternatives=5).alternatives
    assert plain.texts in [one.texts for one in alternatives]
    assert 1 < len(alternatives) <= 5
    assert ask("", weights=seed, n_alternatives=5).alternatives == alternatives


@given(prefix=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10))
@settings(max_examples=10, deadline=None)
def test_no_branch_loses_the_half_token(prefix: str) -> None:
    """Every alternative says again what was taken off the prompt, and shows none of it."""
    working = job(prefix=prefix)
    laid_out = working.lay_out([""], 0)
    with torch.inference_mode():
        fill = working.settle(working.sampler, laid_out, [""], 0)
        heads = departures(working, laid_out, fill)
    assert TOKENIZER.decode(fill.token_ids).startswith(laid_out.half)
    for head_ids, _ in heads:
        assert TOKENIZER.decode(head_ids).startswith(laid_out.half)


@pytest.mark.parametrize("sampler", [Hybrid(HybridParams()), LowConfidence(LowConfidenceParams())])
def test_a_branch_is_what_the_sampler_says_behind_its_departure(sampler: AnySampler) -> None:
    """What the fill says there is at most a draft, and only for a sampler that checks it."""
    working = dataclasses.replace(job(), sampler=sampler)
    laid_out = working.lay_out([""], 0)
    fill = working.settle(sampler, laid_out, [""], 0)
    found = [other.text for other in branches(working, laid_out, fill, 3)]
    n_open = laid_out.canvas.length - laid_out.span_start
    alone = []
    for head, _ in departures(working, laid_out, fill):
        other = working.settle(sampler, laid_out.resumed(head, n_open - len(head)), [""], 0)
        alone.append(other.text)
    kept = [text for text in dict.fromkeys(alone) if text.strip() and text != fill.text]
    assert found
    assert found == kept[: len(found)]
