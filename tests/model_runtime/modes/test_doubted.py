"""Places that became doubtful, and what is put there."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_canvas import Impatience, Patience, engine

from model_runtime.errors import Cancelled
from model_runtime.modes.digest import Spot, digest_of
from model_runtime.modes.doubted import doubted, met
from model_runtime.modes.judging import NextEditJob
from model_runtime.protocol import Change, Group, NextEditRequest, Place

TEXT = "def f(a, bb):\n    return a\n\n\nx = f(1)\ny = f(2)\nz = f(3)\n"
CHANGE = Change(start=7, old="", new=", bb")


def job(group: Group, patience: object = None) -> NextEditJob:
    """Return a job on the tiny model."""
    model = engine()._model
    assert model is not None
    request = NextEditRequest(id="r", text=TEXT, changes=(CHANGE,), groups=(group,))
    cancel = patience or Patience()
    return NextEditJob(request, model, model.denoiser.new_cache(), cancel)  # type: ignore[arg-type]


def places(*, is_open: bool) -> tuple[Place, ...]:
    """Return the ends of the calls' arguments."""
    ends = [TEXT.index(f"f({n}") + 3 for n in (1, 2, 3)]
    text = ", " if is_open else ", 0"
    return tuple(Place(start=at, end=at, text=text, is_open=is_open) for at in ends)


@pytest.mark.parametrize(
    ("text", "behind", "end"),
    [
        ("unit)", ")\n", 4),
        ("unit))", "))\n", 4),
        ("f(a, b), c)", ", c)\n", 7),
        ("'a)b')", ")\n", 5),
        ("item += 1", " += 1\n", 4),
        ("items in x", " in items\n", 5),
        ("name", " in items\n", None),
        ("value i", " in items\n", None),
        ("value in", " in items\n", None),
        ("f(a", ")\n", None),
        ("a\n", ")\n", 0),
        ("a]", ")\n", 0),
        ("a\n", "\n", 1),
        (")", ")\n", 0),
    ],
)
def test_a_text_ends_where_it_meets_the_file(text: str, behind: str, end: int | None) -> None:
    """At the bracket or the word behind the place, its own brackets and strings closed."""
    assert met(text, behind) == end


@given(st.text(alphabet="ab1()[],' \n", max_size=12), st.text(alphabet="ab1()],. \n", max_size=4))
def test_more_text_moves_no_end(text: str, more: str) -> None:
    """What was decided while the text was denoised is what is read of it afterwards."""
    for behind in (")\n", ", a)\n", " ab\n", "\n"):
        if (end := met(text, behind)) is not None:
            assert met(text + more, behind) == end


@torch.inference_mode()
def test_places_that_became_less_likely_are_kept() -> None:
    """Each as much as reading it in both files says, token by token."""
    group = Group(places=places(is_open=False), is_loose=True)
    one = job(group)
    _, lines = doubted(one, group)
    tokenizer = one.model.layout.template.tokenizer

    def likelihood(spots: list[Spot], at: int) -> float:
        whole = tokenizer.encode(lines.written(spots))
        # A token is a character here: the one behind the place is what stands there now.
        index = len(lines.written(spots, at))
        start = one.model.layout.template.before_span(one.model.layout.template.lay_out([], []))
        judged = one.model.denoiser.judge_several(
            start, [whole[: index + 1]], one.model.denoiser.new_cache()
        )[0]
        return float(judged.own[index])

    changes = one.changes
    rises = {p: likelihood(changes, p.start) - likelihood([], p.start) for p in group.places}
    # Between any two of them, for the tiny model knows of no doubt.
    ordered = sorted(rises.values())
    for least in [ordered[0] - 1, *(sum(pair) / 2 for pair in pairwise(ordered)), ordered[-1] + 1]:
        kept, _ = doubted(one, group, least)
        assert kept == [place for place in group.places if rises[place] >= least]


@torch.inference_mode()
def test_a_text_that_never_gets_back_to_the_file_is_none() -> None:
    """The tiny model says letters at random: nothing is put anywhere, though it was asked."""
    group = Group(places=places(is_open=True))
    one = job(group)
    found, lines = doubted(one, group)
    assert found == []
    assert one.n_forwards > 0
    assert lines == digest_of(TEXT, [Spot(0, len(TEXT), "")])


@torch.inference_mode()
def test_places_that_are_known_are_left_as_they_are() -> None:
    """Nothing is asked of the model."""
    group = Group(places=places(is_open=False))
    one = job(group)
    found, _ = doubted(one, group)
    assert tuple(found) == group.places
    assert one.n_forwards == 0


@torch.inference_mode()
def test_denoising_is_stopped_between_two_forwards() -> None:
    """Whoever is more urgent need not wait for the places that are left."""
    group = Group(places=places(is_open=True), is_loose=False)
    with pytest.raises(Cancelled):
        doubted(job(group, Impatience(3)), group)
