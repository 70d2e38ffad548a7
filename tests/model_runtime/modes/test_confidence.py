"""How sure the model says it is, and what is done with that."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import Listener, Patience, ask, engine

from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.text.calibration import Calibration
from model_runtime.text.showing import sure_part

if TYPE_CHECKING:
    from model_runtime.protocol import Alternative, Finished

weights = st.integers(0, 30)


def told(alternative: Alternative) -> list[tuple[str, float]]:
    """Return the texts up to the end of each stretch, and how sure each is."""
    (text,), (stretches,) = alternative.texts, alternative.confidence
    ends = accumulate(one.n_chars for one in stretches)
    return [(text[:end], one.confidence) for end, one in zip(ends, stretches, strict=True)]


@given(weights)
@settings(max_examples=15, deadline=None)
def test_stretches_make_up_the_text_and_fall(seed: int) -> None:
    """Every character belongs to one, and none is surer than what stands before it."""
    asked = ask("", weights=seed, n_alternatives=3, prefix="x", least_confidence=0.0)
    for alternative in asked.alternatives:
        found = told(alternative)
        assert (found[-1][0] if found else "") == alternative.texts[0]
        confidences = [confidence for _, confidence in found]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0 <= confidence <= 1 for confidence in confidences)


@pytest.mark.parametrize("sampler", ["low_confidence", "blockwise", "permutation", "mdlm"])
def test_every_rule_means_the_same_by_it(sampler: str) -> None:
    """Where a rule's own numbers mean something else, the base is asked, once."""
    finished = ask("", sampler=sampler, least_confidence=0.0)
    (alternative,) = finished.alternatives
    model = engine()._model
    assert model is not None

    text, confidence = told(alternative)[0]

    template, tokenizer = model.layout.template, model.layout.template.tokenizer
    context = template.lay_out(tokenizer.encode("x ="), tokenizer.encode("\n"))
    half = " "
    token_ids = tokenizer.encode(half + text)
    (judged,) = model.denoiser.judge_several(context, [token_ids], model.denoiser.new_cache(), 8)
    # The half token before the cursor is spelled again: given that, the rest.
    expected = float(judged.own[len(half) :].sum())
    assert math.log(confidence) == pytest.approx(expected, rel=0.05, abs=0.05)


def test_rules_are_silent_where_telling_would_cost_a_forward() -> None:
    """Unless it is asked for; `hybrid` knows it anyway."""
    assert ask("", sampler="low_confidence").alternatives[0].confidence == ()
    assert ask("").alternatives[0].confidence != ()
    asked = ask("", sampler="low_confidence", least_confidence=0.0).usage.n_forwards
    assert asked == ask("", sampler="low_confidence").usage.n_forwards + 1
    assert ask("", least_confidence=0.0).usage.n_forwards == ask("").usage.n_forwards


@given(weights, st.floats(0.01, 0.9))
@settings(max_examples=25, deadline=None)
def test_what_is_not_sure_enough_is_not_denoised(seed: int, least: float) -> None:
    """The text is what of the whole one is as sure as asked for, in no more forwards."""
    whole, cut = (ask("", weights=seed, least_confidence=wanted) for wanted in (0.0, least))
    (text,), (all_of_it,) = cut.alternatives[0].texts, whole.alternatives[0].texts

    assert text == sure_part(all_of_it, whole.alternatives[0].confidence[0], least)
    assert cut.usage.n_forwards <= whole.usage.n_forwards
    if text:
        assert told(cut.alternatives[0])[-1][1] >= least
    if text != all_of_it:
        assert cut.alternatives[0].finish == "doubt"


def test_doubt_from_the_start_costs_one_forward() -> None:
    """The context is read, and that is all."""
    finished = ask("", prefix="a(", least_confidence=1.0)

    assert finished.alternatives[0].texts == ("",)
    assert finished.alternatives[0].finish == "doubt"
    # How sure it might have been.
    ((began,),) = finished.alternatives[0].confidence
    assert began.n_chars == 0
    assert 0 < began.confidence < 1
    # It also spells the half token, and shows what would be said behind it.
    assert finished.usage.n_forwards == 1


def test_each_of_several_spans_is_told() -> None:
    """One row of stretches a span."""
    (alternative, *_) = ask("", "", mode="holes", least_confidence=0.0).alternatives

    assert len(alternative.confidence) == 2
    for text, stretches in zip(alternative.texts, alternative.confidence, strict=True):
        assert sum(one.n_chars for one in stretches) == len(text)


def one_line(least: float, calibration: Calibration) -> Finished:
    """Ask a tiny engine with a calibration of its own for one line."""
    local: Any = engine()
    model = local._model
    object.__setattr__(model, "calibration", calibration)
    try:
        request = InfillRequest(
            id="r",
            prefix="x = ",
            suffix="\n",
            spans=(MaskSpan(max_tokens=12, single_line=True),),
            seed=0,
            least_confidence=least,
        )
        return local.infill(request, Listener(), Patience())  # type: ignore[no-any-return]
    finally:
        object.__setattr__(model, "calibration", Calibration())


def test_calibration_is_what_is_told_and_decided_by() -> None:
    """A base that is known to be too modest is believed more."""
    honest = one_line(0.0, Calibration()).alternatives[0]
    bold = one_line(0.0, Calibration(bias=3.0)).alternatives[0]

    pairs = list(zip(told(honest), told(bold), strict=True))
    assert pairs
    assert all(more[1] > less[1] for less, more in pairs if less[1] < 1)
