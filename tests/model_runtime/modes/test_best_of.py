"""The best of a few fills of a line: what ends a branch, and what that may cost."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import job_of

from model_runtime.modes.best_of import WELL, BestOf
from model_runtime.modes.branching import departures, with_chances
from model_runtime.modes.ranking import judge
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import Fill, LaidOut

PREFIXES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


def started(prefix: str = "x", weights: int = 0) -> tuple[Job, LaidOut, Fill]:
    """Return a request for the best fill of a line, and the first fill of it.

    No half token stands before the line: the chances of one that is spelled are given its text.
    """
    request = InfillRequest(
        id="r", prefix=f"{prefix} = 1", suffix="\n    return a\n",
        spans=(MaskSpan(single_line=True, max_tokens=12),), best_only=True,
    )  # fmt: skip
    job = job_of(request, weights)
    laid_out = job.lay_out([""], 0)
    with torch.inference_mode():
        fill = with_chances(job, laid_out, job.settle(job.sampler, laid_out, [""], 0))
    return job, laid_out, fill


def canvases(job: Job, laid_out: LaidOut, fill: Fill) -> list[LaidOut]:
    """Return canvases behind the likeliest departures, some of them unlikely."""
    # Of a request for alternatives to choose from none is hopeless.
    any_request = msgspec.structs.replace(job.request, best_only=False)
    heads = departures(replace(job, request=any_request), laid_out, fill)
    return [
        laid_out.resumed(head, laid_out.n_open - len(head), known=known)
        for head, known in heads[::6][:4]
    ]


@given(prefix=PREFIXES, weights=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_a_branch_that_is_ended_could_not_have_won(prefix: str, weights: int) -> None:
    """Settled to its end, the file with it is less likely than with the best that was judged."""
    job, laid_out, first = started(prefix, weights)
    with torch.inference_mode():
        race = BestOf(job, first)
        race.settle(canvases(job, laid_out, first))
        # Nothing reads on well with random weights: that is the next test's.
        assert race.best < WELL
        whole = job.settle_each(canvases(job, laid_out, first))
        alone = replace(job, judged={}, cache=job.own_cache())
        judge(alone, [(other.text,) for other in [first, *whole] if other.text.strip()])
    assert max(total.nats for total in alone.judged.values()) <= race.best + 1e-3


def test_a_branch_goes_on_while_it_may_still_be_the_best() -> None:
    """Its own tokens against the best so far with all that follows it."""
    job, _, first = started()
    race = BestOf(job, first, best=-20.0)
    assert [race.can_win(nats) for nats in (-1.0, -19.9, -20.1)] == [True, True, False]
    assert not BestOf(job, first, best=WELL).can_win(0.0)


def test_once_the_file_reads_on_well_no_branch_goes_on() -> None:
    """Each ends after the step that it is in."""
    job, laid_out, first = started()
    with torch.inference_mode():
        found = BestOf(job, first, best=0.0).settle(canvases(job, laid_out, first))
    assert len(found) > 1
    assert not any(other.text for other in found)


def test_what_is_judged_on_the_way_is_what_ranking_would_say() -> None:
    """The file with each fill is as likely, whatever went through the same forwards."""
    job, laid_out, first = started()
    with torch.inference_mode():
        BestOf(job, first).settle(canvases(job, laid_out, first))
        alone = replace(job, judged={}, cache=job.own_cache())
        judge(alone, list(job.judged))
    assert (first.text,) in job.judged
    assert alone.judged.keys() == job.judged.keys()
    for texts, total in alone.judged.items():
        assert total.n_tokens == job.judged[texts].n_tokens
        assert total.nats == pytest.approx(job.judged[texts].nats, abs=1e-3)


def test_what_settled_a_fill_says_where_it_may_part() -> None:
    """The rows that checked it know of each token's others: no forward is made for them."""
    job, laid_out, first = started()
    n_forwards = job.cache.n_forwards
    with torch.inference_mode():
        known = with_chances(job, laid_out, first)
        assert job.cache.n_forwards == n_forwards
        asked = with_chances(job, laid_out, replace(first, chances=()))
    assert job.cache.n_forwards == n_forwards + 1
    mask_id = job.model.denoiser.mask_id
    for told, said in zip(known.chances, asked.chances, strict=True):
        assert told.own == pytest.approx(said.own, abs=0.05)
        # The base also names the mask, which is no text.
        named = [token_id for token_id, _ in said.others if token_id != mask_id]
        assert [token_id for token_id, _ in told.others][: len(named)] == named
        assert all(math.isfinite(nats) for _, nats in told.others)
