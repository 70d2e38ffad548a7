"""How a change and what may follow from it are judged together."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_canvas import Impatience, Listener, Patience, engine

from model_runtime.errors import Cancelled
from model_runtime.modes.digest import Spot, are_apart, digest_of, nearest
from model_runtime.modes.judging import MAX_ROWS, NextEditJob, context_of, likelihoods
from model_runtime.modes.wanted import NAMES, chance, confidence_of
from model_runtime.protocol import Change, Group, NextEditRequest, Place
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import CanvasLayout

TEXT = "def f(aa, b):\n    x = a + b\n    y = 1\n    return a * x\n"
CHANGE = Change(start=6, old="a", new="aa")


def place(at: int, text: str = "aa") -> Place:
    """Return a place of one character."""
    return Place(start=at, end=at + 1, text=text)


GROUP = Group(places=tuple(place(i) for i in (22, TEXT.index("a * x"))))


def request(**values: object) -> NextEditRequest:
    """Return a request about `TEXT`."""
    given_values = {"id": "r", "text": TEXT, "changes": (CHANGE,), "groups": (GROUP,), **values}
    return NextEditRequest(**given_values)  # type: ignore[arg-type]


@given(st.data())
def test_a_digest_holds_its_spots_and_whole_lines(data: st.DataObject) -> None:
    """However they lie, each stands in it once, and what is put there as well."""
    text = data.draw(st.text(alphabet="ab c\n", min_size=1, max_size=400))
    ends = data.draw(
        st.lists(st.integers(0, len(text)), min_size=2, max_size=12, unique=True).map(sorted)
    )
    spots = [Spot(a, b, "XY") for a, b in zip(ends[::2], ends[1::2], strict=False)]
    digest = digest_of(text, spots)
    assert digest.written(spots).count("XY") == len(spots)
    assert all(
        any(start <= spot.start and spot.end <= end for start, end in digest.stretches)
        for spot in spots
    )
    assert are_apart([Spot(start, end, "") for start, end in digest.stretches])
    assert len(digest.written([])) >= len(digest)


def test_two_texts_at_one_place_are_not_apart() -> None:
    """Of two that are put in at the same place only one can be."""
    assert not are_apart([Spot(5, 5, "a"), Spot(5, 5, "b")])
    assert are_apart([Spot(5, 5, "a"), Spot(6, 6, "b"), Spot(6, 8, "c")])


def test_lines_that_are_read_first_stand_first() -> None:
    """And what stands before them is read from behind those that are read later."""
    text = "aa = 1\n" + "filler = 'filler filler filler filler'\n" * 3 + "bb = 2\n"
    lines = digest_of(text, [Spot(0, 2, "cc")], [Spot(len(text) - 7, len(text) - 5, "dd")])
    assert lines.written([]) == "bb = 2\naa = 1\n"
    assert lines.written([Spot(0, 2, "cc")], up_to=2) == "bb = 2\ncc"
    assert lines.before == text[7:-7]


def test_of_two_groups_for_a_place_the_first_is_taken() -> None:
    """Where it is likely enough; where everything is wanted, both are told."""
    both = (GROUP, Group(places=tuple(place(p.start, "bb") for p in GROUP.places)))
    found = engine().next_edits(request(groups=both), Listener(), Patience()).proposals
    assert {proposal.group for proposal in found} == {0, 1}
    least = min(proposal.confidence for proposal in found) / 2
    found = (
        engine()
        .next_edits(request(groups=both, least_confidence=least), Listener(), Patience())
        .proposals
    )
    assert [proposal.group for proposal in found] == [0]


def test_the_nearest_places_are_judged() -> None:
    """As many as have room; never none."""
    text = "a = 1\n" + "filler filler filler filler filler\n" * 40 + "b = a\n"
    changes = [Spot(0, 1, "z")]
    spots = [Spot(text.index("b = a") + 4, text.index("b = a") + 5, "z"), Spot(13, 19, "x")]
    assert nearest(text, changes, spots, 10) == [Spot(13, 19, "x")]
    assert nearest(text, changes, spots, 1000) == sorted(spots, key=lambda spot: spot.start)


def job(patience: object = None, **values: object) -> NextEditJob:
    """Return a job on the tiny model."""
    model = engine()._model
    assert model is not None
    cancel = patience or Patience()
    cache = model.denoiser.new_cache()
    return NextEditJob(request(**values), model, cache, cancel)  # type: ignore[arg-type]


@torch.inference_mode()
def test_differences_are_those_of_the_whole_texts() -> None:
    """What is shared counts for none, in however many forwards it is read."""
    one = job(text=TEXT + "# a\n" * 60)
    places = [Spot(p.start, p.end, p.text) for p in GROUP.places]
    far = [Spot(len(TEXT) + 200, len(TEXT) + 220, "b" * (2 * MAX_ROWS))]
    lines = digest_of(one.request.text, [*one.changes, *places, *far])
    ways = [[], places, [*places, *far]]
    found = likelihoods(one, lines, ways)

    tokenizer = one.model.layout.template.tokenizer
    prefix = one.model.layout.template.lay_out([], [])[:1]
    whole = [
        float(
            one.model.denoiser.judge_several(
                prefix,
                [tokenizer.encode(lines.before + lines.written(way))],
                one.model.denoiser.new_cache(),
            )[0].own.sum()
        )
        for way in ways
    ]
    for index in (1, 2):
        assert found[index] - found[0] == pytest.approx(whole[index] - whole[0], abs=1e-3)


def test_what_stands_before_is_read_in_any_order_of_marks() -> None:
    """All of it, and nothing else, where the base is shown what follows first."""
    one = job(text="a = 1\nb = 2\n" + TEXT)
    layout = one.model.layout
    marks = msgspec.structs.replace(layout.template.marks, is_suffix_first=True, start_ids=(3,))
    template = FimTemplate(layout.template.tokenizer, marks)
    one.model = replace(one.model, layout=CanvasLayout(template, 512))
    lines = digest_of(one.request.text, [Spot(12, 13, "c")])
    before = template.tokenizer.encode(lines.before)
    assert context_of(one, lines) == [3, marks.prefix_id, *before]


def test_it_stops_between_forwards_and_goes_on_later() -> None:
    """What was read before it was stopped is not read again."""
    local = engine()
    long = request(text="# filler\n" * 40 + TEXT, document="d", changes=(
        Change(start=366, old="a", new="aa"),), groups=(
        Group(places=(place(382), place(360 + TEXT.index("a * x")))),))  # fmt: skip
    whole = engine().next_edits(long, Listener(), Patience())
    with pytest.raises(Cancelled):
        local.next_edits(long, Listener(), Impatience(4))
    again = local.next_edits(long, Listener(), Patience())
    assert again.usage.n_forwards < whole.usage.n_forwards
    assert again.proposals[0].gain == pytest.approx(whole.proposals[0].gain, abs=1e-3)


def test_what_is_hopeless_costs_nothing() -> None:
    """Where nothing the base may say would be enough, it is not asked."""
    found = engine().next_edits(request(least_confidence=1.0), Listener(), Patience())
    assert found.proposals == ()
    assert found.usage.n_forwards == 0


@pytest.mark.parametrize(
    "values",
    [
        {"groups": (Group(places=(place(6),)),)},
        {"groups": (Group(places=()),)},
        {"groups": ()},
        {"changes": ()},
    ],
    ids=["on the change", "no places", "no groups", "no change"],
)
def test_what_can_be_no_next_edit_is_none(values: dict[str, object]) -> None:
    """Nothing is offered where the user's own change stands."""
    assert engine().next_edits(request(**values), Listener(), Patience()).proposals == ()


@given(st.floats(-60, 60), st.floats(-60, 60), st.floats(0, 30))
def test_more_evidence_makes_nothing_less_likely(gain: float, due: float, more: float) -> None:
    """Confidence rises with the gain and with what is due to the change, and is a probability."""
    before = confidence_of((CHANGE,), GROUP, gain, due)
    assert 0 <= before <= confidence_of((CHANGE,), GROUP, gain + more, due) <= 1
    assert before <= confidence_of((CHANGE,), GROUP, gain, due + more)
    assert math.isclose(chance((0.0,) * len(NAMES)), 0.5)
