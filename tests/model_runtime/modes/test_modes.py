"""What each mode promises, whatever the model says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import Impatience, Listener, Patience, ask, engine

from model_runtime.errors import Cancelled, UnsupportedPairing
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers import SAMPLERS
from model_runtime.text.markers import holds_marker

TEXT = "total = total + value"
SHORT = "a = b"


#: A marker is no text that stands there: what is asked for is a fill.
TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: not holds_marker(text, "___"))


@given(text=TEXTS)
@settings(max_examples=30, deadline=None)
def test_a_rewrite_of_no_strength_changes_no_byte(text: str) -> None:
    """Strength 0 gives the text back without asking the model."""
    finished = ask(text, mode="rewrite", strength=0.0)
    assert [alternative.texts for alternative in finished.alternatives] == [(text,)]
    assert finished.alternatives[0].finish == "unchanged"
    assert finished.usage.n_forwards == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_free_rewrite_is_what_the_model_would_say_anyway(seed: int) -> None:
    """At strength 1 the text is only a draft: the result is that of an infill."""
    spans = (MaskSpan(text=TEXT, max_tokens=len(TEXT) * 2 + 64),)
    # Where no half token is healed: a text keeps its own.
    fields: dict[str, Any] = {"weights": seed, "spans": spans, "prefix": "x = 1\n"}
    rewritten = ask(TEXT, mode="rewrite", strength=1.0, **fields)
    filled = ask(TEXT, mode="infill", **fields)
    assert rewritten.alternatives[0].texts[0] == filled.alternatives[0].texts[0]


def test_more_strength_holds_less() -> None:
    """The more may change, the less of the text is left."""
    shares = []
    for strength in (0.05, 0.5, 1.0):
        (text,) = ask(TEXT, mode="rewrite", strength=strength).alternatives[0].texts
        same = [a == b for a, b in zip(text, TEXT, strict=False)]
        shares.append(same.index(False) if False in same else len(same))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


@pytest.mark.parametrize("name", SAMPLERS.names())
@pytest.mark.parametrize("strength", [0.25, 0.6])
def test_other_rules_open_the_least_certain_share(name: str, strength: float) -> None:
    """A rule that fills masks changes at most that share, and keeps the length."""
    rule = SAMPLERS.load(name)
    if "logits" not in rule.accepts or rule.takes_text or name == "expand":
        pytest.skip("other ways to rewrite, or none on this family")
    if rule.ordered:
        with pytest.raises(UnsupportedPairing, match="hybrid"):
            ask(TEXT, mode="rewrite", strength=strength, sampler=name)
        return
    (text,) = ask(TEXT, mode="rewrite", strength=strength, sampler=name).alternatives[0].texts
    assert text != TEXT
    assert len(text) <= len(TEXT)
    n_changed = sum(a != b for a, b in zip(text, TEXT, strict=False))
    assert n_changed <= math.ceil(strength * len(TEXT))


def test_alternatives_are_distinct_and_the_best_comes_first() -> None:
    """Of several draws each text stands once, by falling score."""
    alternatives = ask("", suffix="\nend\n", n_alternatives=6).alternatives
    scores = [alternative.score for alternative in alternatives]
    assert len({alternative.texts for alternative in alternatives}) == len(alternatives) > 1
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", ["infill", "rewrite", "repair", "holes"])
def test_a_seed_gives_the_same_again(mode: str) -> None:
    """All randomness is the request's."""
    one, other = (ask(SHORT, mode=mode, n_alternatives=3) for _ in range(2))
    assert one.alternatives == other.alternatives


@pytest.mark.parametrize("seed", range(3))
def test_a_repair_says_which_text_is_the_unchanged_one(seed: int) -> None:
    """Each text stands once, and only the one that stood there is called unchanged."""
    alternatives = ask(SHORT, weights=seed, mode="repair", n_alternatives=16).alternatives
    texts = [alternative.texts[0] for alternative in alternatives]
    assert len(set(texts)) == len(texts) > 1
    for alternative in alternatives:
        assert (alternative.finish == "unchanged") == (alternative.texts == (SHORT,))


def test_a_repair_keeps_the_blanks_around_the_text() -> None:
    """Indentation and line ends are no part of what is judged."""
    for alternative in ask(f"  {SHORT}\n", mode="repair", n_alternatives=16).alternatives:
        (text,) = alternative.texts
        assert text.startswith("  ")
        assert text.endswith("\n")
        assert text == f"  {text.strip()}\n"


def test_a_repair_ends_where_the_model_agrees() -> None:
    """What the model itself wrote is not changed."""
    closed = 0
    for seed in range(12):
        fields: dict[str, Any] = {"weights": seed, "prefix": "x = 1\n"}
        filled = ask("", **fields).alternatives[0]
        if filled.finish == "closed" and filled.texts[0].strip() == filled.texts[0] != "":
            closed += 1
            repaired = ask(filled.texts[0], mode="repair", **fields)
            assert repaired.alternatives[0].finish == "unchanged"
    assert closed, "no seed's model closed its text"


@pytest.mark.parametrize("seed", range(4))
def test_holes_see_each_other_until_none_changes(seed: int) -> None:
    """Filling any hole again, given the others as they came out, changes nothing."""
    fields: dict[str, Any] = {"suffix": "\n", "weights": seed}
    holes = ask("___", "___", "___", mode="holes", **fields).alternatives[0].texts
    assert len(holes) == 3
    prefix = f"x = {holes[0]}\n{holes[1]}\n"
    (last,) = ask("", prefix=prefix, **fields).alternatives[0].texts
    assert last == holes[2]


def test_a_marker_is_never_shown_to_the_model() -> None:
    """What a span held has no say in a fill of holes."""
    one = ask("___", "___", mode="holes").alternatives
    assert ask("HOLE", "HOLE", mode="holes").alternatives == one


@pytest.mark.parametrize("n_spans", [1, 3])
def test_a_plain_fill_costs_its_steps_and_no_more(n_spans: int) -> None:
    """Nothing is judged where there is nothing to choose."""
    spans = tuple(MaskSpan(following="\n", max_tokens=4) for _ in range(n_spans))
    request = InfillRequest(id="r", prefix="x\n", suffix="", spans=spans, seed=1, stream=True)
    listener = Listener()
    finished = engine().infill(request, listener, Patience())
    assert finished.usage.n_forwards == len(listener.steps)


def test_steps_are_told_for_every_span() -> None:
    """Reports count on over the spans, and what nothing is known of yet is a mask."""
    spans = tuple(MaskSpan(text="___", following=";", max_tokens=4) for _ in range(3))
    request = InfillRequest(
        id="r", prefix="", suffix="", spans=spans, mode="holes", seed=1, stream=True
    )
    listener = Listener()
    engine().infill(request, listener, Patience())
    assert [report.step_index for report in listener.steps] == list(range(len(listener.steps)))
    assert listener.steps[0].drafts[1:] == ("░", "░")
    assert listener.steps[0].committed[1:] == ("", "")


@pytest.mark.parametrize("n_alternatives", [1, 3])
@pytest.mark.parametrize(("before", "missing"), [("", "    "), ("  ", "  "), ("    ", "")])
def test_the_first_line_of_a_block_is_indented(
    before: str, missing: str, n_alternatives: int
) -> None:
    """By what the cursor's line lacks of it; every alternative."""
    finished = ask("", prefix=f"if a:\n{before}", language="python", n_alternatives=n_alternatives)
    assert all(one.texts[0].startswith(missing) for one in finished.alternatives)
    free = ask("", prefix=f"if a:\n{before}", n_alternatives=n_alternatives)
    assert before or not free.alternatives[0].texts[0].startswith("    ")


def test_a_long_context_is_left_between_two_forwards() -> None:
    """Also where a half token is spelled first: who types on waits for one forward, not for all."""
    local = engine()
    request = InfillRequest(id="r", prefix="x = 1\n" * 160 + "ab", suffix="\n", spans=(MaskSpan(),))
    with pytest.raises(Cancelled):
        local.infill(request, Listener(), Impatience(1))
    (cache,) = local._contexts._kept.values()
    assert cache.n_forwards == 1


def test_code_that_is_missing_has_one_line_where_more_would_tear_it() -> None:
    """A rewrite of a hole is a fill, and ends with its line where text follows on it."""
    texts = [
        alternative.texts[0]
        for seed in range(12)
        for alternative in ask(
            "___", mode="rewrite", prefix="x = (", suffix=" + 1)\n", weights=seed
        ).alternatives
    ]
    assert any(texts)
    assert not any("\n" in text for text in texts)
