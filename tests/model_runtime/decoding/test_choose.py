"""Tests of drawing and choosing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_runtime.decoding.choose import (
    clean_logits,
    draw,
    narrowed,
    nucleus,
    tempered,
    top,
    top_at_random,
    uniform,
)
from model_runtime.decoding.schedule import GeometricNoise, LogLinearNoise


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def test_draws_follow_the_weights() -> None:
    """Of 20,000 draws, each index gets its share, to five standard deviations."""
    weights, n = torch.tensor([0.0, 1.0, 3.0, 0.0, 6.0, 0.0]), 20_000
    counts = draw(weights.expand(n, -1), generator()).bincount(minlength=6)
    expected = weights / weights.sum()
    assert bool(((counts / n - expected).abs() <= 5 * (expected * (1 - expected) / n).sqrt()).all())


@given(
    st.lists(st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e6]), min_size=1, max_size=9).filter(any),
    st.integers(0, 1000),
)
def test_what_has_no_weight_is_never_drawn(weights: list[float], seed: int) -> None:
    """Neither before, between nor behind the others, however uneven they are."""
    assert weights[int(draw(torch.tensor([weights]), generator(seed)))] > 0


def test_a_draw_takes_one_number_a_row() -> None:
    """So seeds stay in step whatever the vocabulary."""
    narrow, wide, plain = generator(), generator(), generator()
    draw(torch.ones(3, 2), narrow)
    draw(torch.ones(3, 500), wide)
    uniform(3, plain, torch.device("cpu"))
    assert torch.equal(narrow.get_state(), plain.get_state())
    assert torch.equal(wide.get_state(), plain.get_state())


def test_a_mask_is_never_clean() -> None:
    """Its column is impossible; a mask outside the vocabulary needs no column."""
    logits = torch.zeros(2, 3)
    assert clean_logits(logits, 1).softmax(-1).tolist() == [[0.5, 0.0, 0.5]] * 2
    assert clean_logits(logits, 7) is logits
    assert clean_logits(logits, None) is logits


@pytest.mark.parametrize(("keep_crossing", "kept"), [(True, 2), (False, 1)])
def test_the_crossing_token_stays_or_goes(keep_crossing: bool, kept: int) -> None:  # noqa: FBT001
    """Top-p and ReMDM's nucleus differ in the token that passes the bound."""
    narrow = nucleus(torch.tensor([[0.2, 0.5, 0.3]]), 0.6, keep_crossing=keep_crossing)
    assert int((narrow > 0).sum()) == kept
    assert float(narrow.sum()) == pytest.approx(1.0)


def test_the_best_token_stays_in_any_nucleus() -> None:
    """Even where it alone passes the bound."""
    assert nucleus(torch.tensor([[0.1, 0.9]]), 0.5, keep_crossing=False).tolist() == [[0.0, 1.0]]


@given(st.integers(0, 20), st.floats(0.05, 0.99), st.booleans())
@settings(deadline=None)
def test_a_nucleus_does_not_depend_on_how_it_is_found(
    seed: int,
    mass: float,
    keep_crossing: bool,  # noqa: FBT001
) -> None:
    """Few candidates or a whole sorted vocabulary: the same tokens."""
    probabilities = (torch.randn(3, 700, generator=generator(seed)) * 3).softmax(-1)
    narrow = nucleus(probabilities, mass, keep_crossing=keep_crossing)
    ordered, tokens = probabilities.sort(-1, descending=True)
    reached = ordered.double().cumsum(-1)
    edge = (reached - mass).abs().min()
    if edge < 1e-5:
        return
    kept = (reached - ordered if keep_crossing else reached) <= mass
    kept[:, 0] = True
    assert torch.equal(narrow > 0, torch.zeros_like(kept).scatter(-1, tokens, kept))


def test_filters_come_after_temperature() -> None:
    """A low temperature leaves a narrower nucleus, and top-k cuts what is left."""
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    assert int((narrowed(logits, 1.0, 0.8, 0) > 0).sum()) == 2
    assert int((narrowed(logits, 0.3, 0.8, 0) > 0).sum()) == 1
    assert narrowed(logits, 1.0, 1.0, 1).tolist() == [[1.0, 0.0, 0.0]]
    assert tempered(logits, 0.0).tolist() == [[1.0, 0.0, 0.0]]


def test_of_equals_the_first_is_chosen() -> None:
    """Ties do not depend on the sort."""
    assert top(torch.tensor([1.0, 2.0, 1.0, 2.0, 1.0]), 3).tolist() == [1, 1, 0, 1, 0]


def test_random_choice_is_without_replacement_and_by_weight() -> None:
    """Two of three, the heaviest almost always among them."""
    rng, counts = generator(), torch.zeros(3)
    for _ in range(300):
        chosen = top_at_random(torch.tensor([0.0, 0.0, 5.0]), 2, rng)
        assert int(chosen.sum()) == 2
        counts += chosen
    assert counts[2] > 280
    assert min(counts[:2]) > 100


@pytest.mark.parametrize("noise", [LogLinearNoise(), GeometricNoise(), LogLinearNoise(eps=0.1)])
@given(time=st.floats(0, 1))
def test_noise_grows_at_its_rate_and_back(
    noise: LogLinearNoise | GeometricNoise, time: float
) -> None:
    """The rate is the slope of sigma, and `time` undoes `sigma`."""
    assert noise.time(noise.sigma(time)) == pytest.approx(time, abs=1e-6)
    step = 1e-6
    earlier, later = max(0.0, time - step), min(1.0, time + step)
    slope = (noise.sigma(later) - noise.sigma(earlier)) / (later - earlier)
    assert noise.rate((earlier + later) / 2) == pytest.approx(slope, rel=1e-3)
