"""How likely a text is to a family that fills masks: what the bound is, and what it costs."""

from __future__ import annotations

import math

import pytest
import torch
from support import tiny
from support.tiny_canvas import Impatience

from model_runtime.caches.around import AroundCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query, Region
from model_runtime.decoding.choose import clean_logits
from model_runtime.errors import Cancelled, UnsupportedPairing
from model_runtime.models.parts import likelihood
from model_runtime.models.parts.likelihood import ERROR, N_EVALUATIONS, STRIDE

JUDGING = [variant for variant in tiny.VARIANTS if tiny.class_of(variant).judges]
#: Families with rows to keep around a text.
AROUND = [one for one in JUDGING if "around" in tiny.class_of(one).caches]
RNG = torch.Generator().manual_seed(11)
BEFORE = torch.randint(0, 50, (14,), generator=RNG).tolist()
BEHIND = torch.randint(0, 50, (9,), generator=RNG).tolist()
SHORT = torch.randint(0, 50, (N_EVALUATIONS,), generator=RNG).tolist()
LONG = torch.randint(0, 50, (20,), generator=RNG).tolist()


def behind(variant: str) -> list[int]:
    """Return what stands behind a text, to families that see it there."""
    return BEHIND if tiny.class_of(variant).sees == "file" else []


def one_at_a_time(variant: str, text: list[int]) -> torch.Tensor:
    """Return log p of each token given those to its left, the rest masked: a forward for each."""
    family, found = tiny.tiny(variant), []
    for at, token_id in enumerate(text):
        masks = [family.mask_id or 0] * (len(text) - at)
        token_ids = torch.tensor([*BEFORE, *text[:at], *masks, *behind(variant)])
        canvas = Canvas(token_ids, token_ids != family.mask_id, family.mask_id)
        rows = family.predict(canvas, Query(torch.tensor([len(BEFORE) + at])), NoCache()).rows
        found.append(clean_logits(rows, family.mask_id).log_softmax(-1)[0, token_id])
    return torch.stack(found)


@pytest.mark.parametrize("variant", JUDGING)
def test_a_short_text_is_judged_as_one_token_after_another(variant: str) -> None:
    """Up to as many tokens as there are evaluations, nothing is left out."""
    family = tiny.tiny(variant)
    (judged,) = family.judge_several(BEFORE, [SHORT], NoCache(), 3, behind=behind(variant))
    torch.testing.assert_close(judged.own, one_at_a_time(variant, SHORT), atol=2e-4, rtol=1e-4)
    assert (judged.best[:, 0] >= judged.own).all()
    assert judged.best_ids.shape == (len(SHORT), 3)


@pytest.mark.parametrize("variant", JUDGING)
def test_a_longer_text_is_judged_as_near_as_is_stated(variant: str) -> None:
    """In groups, the mean difference a token is at most so many of their standard deviations."""
    (judged,) = tiny.tiny(variant).judge_several(
        BEFORE, [LONG], NoCache(), behind=behind(variant)
    )  # fmt: skip
    exact = one_at_a_time(variant, LONG)
    assert 0 < float((judged.own - exact).abs().mean() / exact.std()) <= ERROR


@pytest.mark.parametrize("variant", JUDGING)
def test_each_token_is_judged_given_both_sides(variant: str) -> None:
    """A token's probability is that of its place masked with every so-manieth other."""
    family = tiny.tiny(variant)
    judged = family.judge_each(BEFORE, LONG, NoCache(), behind=behind(variant))
    at = 6
    text = [
        family.mask_id or 0 if place % STRIDE == at % STRIDE else token
        for place, token in enumerate(LONG)
    ]
    (rows,) = family.predict_between(BEFORE, [Region(text, [at])], behind(variant), NoCache())
    expected = clean_logits(rows, family.mask_id).log_softmax(-1)[0, LONG[at]]
    assert math.isclose(float(judged.own[at]), float(expected), abs_tol=2e-4)


@pytest.mark.parametrize("variant", AROUND)
def test_texts_are_judged_in_one_batch_over_kept_rows(variant: str) -> None:
    """What stands around is computed once, and then the rows of the texts alone."""
    family = tiny.tiny(variant)
    cache = family.new_cache()
    family.judge_several(BEFORE, [SHORT], cache, behind=BEHIND)
    n_around = len(BEFORE) + len(SHORT) + len(BEHIND)
    n_evaluated = len(SHORT) * (len(SHORT) + int(family.shifted))
    assert (cache.n_forwards, cache.n_rows) == (2, n_around + n_evaluated)
    family.judge_several(BEFORE, [SHORT], cache, behind=BEHIND)
    assert (cache.n_forwards, cache.n_rows) == (3, n_around + 2 * n_evaluated)


@pytest.mark.parametrize("variant", AROUND)
def test_texts_of_other_lengths_see_what_follows_in_its_place(variant: str) -> None:
    """Rows kept behind a text are turned to where they stand behind a longer and a shorter one."""
    family = tiny.tiny(variant)
    mask_id = family.mask_id or 0
    regions = [Region([mask_id] * n, list(range(n))) for n in (5, 2, 9)]
    kept = family.predict_between(BEFORE, regions, BEHIND, family.new_cache())
    apart = family.predict_between(BEFORE, regions, BEHIND, NoCache())
    pairs = zip(kept, apart, strict=True)
    errors = [float((found - exact).abs().mean() / exact.std()) for found, exact in pairs]
    assert sum(errors) / len(errors) <= AroundCache.error
    torch.testing.assert_close(kept[0], apart[0], atol=1e-4, rtol=1e-4)


def test_a_judgement_stops_between_two_forwards() -> None:
    """A request that is cancelled asks no more."""
    family = tiny.tiny("llada")
    cache = family.new_cache()
    with pytest.raises(Cancelled):
        family.judge_several(BEFORE, [LONG] * 4, cache, check=Impatience(2).check, behind=BEHIND)
    assert cache.n_forwards == 2


@pytest.mark.parametrize("variant", sorted(set(tiny.VARIANTS) - set(JUDGING)))
def test_a_family_that_can_not_tell_says_so(variant: str) -> None:
    """By its name."""
    family = tiny.tiny(variant)
    with pytest.raises(UnsupportedPairing, match=family.name):
        family.judge_several(BEFORE, [SHORT], NoCache())


def test_groups_cover_a_text_from_left_to_right() -> None:
    """Each place once, in order, whatever the length."""
    for n_tokens in range(1, 40):
        groups = likelihood._groups(n_tokens)
        assert [place for group in groups for place in group] == list(range(n_tokens))
        assert len(groups) == min(n_tokens, N_EVALUATIONS)
