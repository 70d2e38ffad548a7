"""Figures of published checkpoints: right where they can be told another way."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, cast

import pytest
import torch
from support.tiny import tiny
from support.tiny_checkpoint import checkpoint

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.choose import clean_logits
from model_runtime.errors import ModelLoadFailed, UnsupportedPairing
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.published_perplexity import ALPHAS, interpolated, measure_published

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.models.eso import Eso

TASK = EvalTask(
    id="t", language="python", prefix="a = b\n", suffix="\nc", reference="d(e)", single_line=True
)


def test_without_diffusion_the_figure_is_exact() -> None:
    """At alpha_0 = 0 it is the sum over the tokens, each predicted from those before it."""
    family = cast("Eso", tiny("eso"))
    token_ids = torch.tensor([3, 1, 4, 1, 5, 9, 2])
    canvas = Canvas(token_ids, torch.zeros(len(token_ids), dtype=torch.bool), family.mask_id)
    expected = 0.0
    for place in range(len(token_ids)):
        query = Query(torch.tensor([place]), visible=torch.tensor([place]))
        row = clean_logits(family.predict(canvas, query, NoCache()).rows, family.mask_id)
        expected -= float(row.log_softmax(-1)[0, token_ids[place]])
    found = interpolated(family, token_ids, 0.0, 2, random.Random(1))
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_model_that_knows_nothing_costs_the_same_for_every_share() -> None:
    """Where every token is as likely as any, each costs log of their number, whatever alpha_0."""
    family = cast("Eso", tiny("eso"))
    token_ids = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])
    n_draws = 400

    class Uniform:
        mask_id = family.mask_id

        def forward(self, token_ids: torch.Tensor, *_: object) -> torch.Tensor:
            return torch.zeros(*token_ids.shape, family.vocab_size)

    each = math.log(family.vocab_size - 1)
    for alpha in ALPHAS:
        nats = interpolated(cast("Eso", Uniform()), token_ids, alpha, n_draws, random.Random(0))
        assert nats == pytest.approx(len(token_ids) * each, rel=0.1)


@pytest.mark.parametrize("variant", ["llada", "dream", "mdlm"])
def test_a_masked_family_has_a_bound(variant: str, tmp_path: Path) -> None:
    """Of the gaps' tokens, in bytes of theirs; the same for the same seed."""
    folder = checkpoint(tmp_path, variant)
    (figure,) = measure_published([TASK], folder, n_draws=4, seed=0).values()
    assert (figure.n_tokens, figure.n_bytes) == (4, 4)
    assert 0 < figure.nats < math.inf
    assert measure_published([TASK], folder, n_draws=4, seed=0).popitem()[1] == figure


def test_eso_has_a_figure_for_every_share(tmp_path: Path) -> None:
    """From left to right alone to diffusion alone, over the whole text."""
    found = measure_published([TASK], checkpoint(tmp_path, "eso"), n_draws=2, seed=0)
    assert len(found) == len(ALPHAS)
    assert all(figure.n_tokens == 12 for figure in found.values())


@pytest.mark.parametrize("variant", ["sdar", "sedd", "diffusion_gemma"])
def test_what_can_not_be_measured_is_said(variant: str, tmp_path: Path) -> None:
    """A family of blocks sees nothing behind a gap; scores and noise are no masks."""
    with pytest.raises(UnsupportedPairing, match="no masks"):
        measure_published([TASK], checkpoint(tmp_path, variant), n_draws=1, seed=0)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    """Text can't be read without."""
    with pytest.raises(ModelLoadFailed, match=r"tokenizer\.json"):
        measure_published([TASK], tmp_path, n_draws=1, seed=0)
