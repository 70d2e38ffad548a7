"""A small model is trained, and what it fills makes sense by every rule that fits its family."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
import torch

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, check_pairing, denoise
from model_runtime.errors import UnsupportedPairing
from model_runtime.models import MODELS
from model_runtime.models.parts.family import SmallSize
from model_runtime.models.parts.load import load_family
from model_runtime.samplers import SAMPLERS
from model_runtime.training.data import Document, Split
from model_runtime.training.family import Batches, FamilyTrainer, mask
from model_runtime.training.loop import METRICS, Plan
from model_runtime.training.tasks import Corpus

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from model_runtime.models.parts.family import Family
    from model_runtime.samplers.base import Sampler

NAMES = ("total", "price", "width", "height", "count", "speed", "weight", "size")
WORDS = {"add": "+", "multiply": "*", "divide": "/", "subtract": "-"}
BATCHES = Batches(n_texts=16, length=48)
SIZE = SmallSize(n_tokens=320, width=64, n_layers=2, n_heads=4, max_length=128)
PLAN = Plan(200, learning_rate=4e-3, share_falling=0.5, checkpoint_every=100, validate_every=100)
#: How many times as many tokens are right as by always saying the commonest one, whatever the rule.
MARGIN = 4.0
#: Families that a small model is trained of.
FAMILIES = [name for name in MODELS.names() if "small" in vars(MODELS.load(name))]


def function(rng: Random, split: Split) -> str:
    """Write a function; which two names go together differs between what is trained on and not."""
    while True:
        word, first, second, third = rng.choice(list(WORDS)), *rng.sample(NAMES, 3)
        is_heldout = (NAMES.index(first) + NAMES.index(second)) % 4 == 0
        if is_heldout == (split == "heldout"):
            break
    return (
        f"def {word}({first}, {second}):\n"
        f"    {third} = {first} {WORDS[word]} {second}\n"
        f"    return {third}\n\n\n"
    )


def corpus(split: Split) -> Corpus:
    """Return files of such functions."""
    rng = Random(split)
    texts = ["".join(function(rng, split) for _ in range(60)) for _ in range(12)]
    return Corpus(
        Document(
            registry="pypi", package="made", version="1", licence="", language="python",
            path=f"{index}.py", split=split, text=text,
        )
        for index, text in enumerate(texts)
    )  # fmt: skip


def trainer(name: str, folder: Path, plan: Plan = PLAN) -> FamilyTrainer:
    """Return the trainer of a small model, the same each time."""
    torch.manual_seed(0)
    corpora = corpus("train"), corpus("heldout")
    family = MODELS.load(name)
    return FamilyTrainer(family, SIZE, corpora, BATCHES, plan, folder, torch.device("cpu"))


@pytest.fixture(scope="module", params=FAMILIES)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Family, Tensor]:
    """Return a small model, loaded as a published one is, and held-out texts [n, length]."""
    folder = tmp_path_factory.mktemp(request.param)
    made = trainer(request.param, folder)
    made.run()
    texts = torch.cat([made.texts(index, heldout=True) for index in range(4)])
    return load_family(folder, dtype=torch.float32), texts


def fitting(family: Family) -> dict[str, Sampler]:
    """Return the rules that can decode a family, with their own defaults."""
    found = {}
    for name in SAMPLERS.names():
        sampler = SAMPLERS.load(name).from_mapping({})
        try:
            check_pairing(family, sampler, NoCache())
        except UnsupportedPairing:
            continue
        found[name] = sampler
    return found


def share_right(family: Family, sampler: Sampler, texts: Tensor, gaps: list[range]) -> float:
    """Fill a gap in each text; return the share of the tokens that stood there."""
    n_right = 0
    for seed, (text, gap) in enumerate(zip(texts, gaps, strict=True)):
        places = torch.tensor(gap)
        given = torch.ones_like(text, dtype=torch.bool).index_fill(0, places, value=False)
        canvas = Canvas(text.masked_fill(~given, family.mask_id), given, family.mask_id)
        rng = torch.Generator().manual_seed(seed)
        denoise(family, sampler, NoCache(), canvas, Budget(), rng)
        n_right += int(torch.eq(canvas.token_ids[places], text[places]).sum())
    return n_right / sum(map(len, gaps))


def test_there_are_families_to_train() -> None:
    """One that keeps its causal base's shift is among them, and one without."""
    assert len(FAMILIES) > 1


def test_fills_beat_chance_by_every_rule(trained: tuple[Family, Tensor]) -> None:
    """Short gaps in held-out texts: more tokens are right than by chance or by the commonest."""
    family, texts = trained
    rng = Random(0)
    starts = [rng.randrange(12, 36) for _ in texts]
    gaps = [range(start, start + rng.randint(1, 4)) for start in starts]
    (commonest, _), *_ = Counter(texts.flatten().tolist()).most_common(1)
    stood = [int(text[at]) for text, gap in zip(texts, gaps, strict=True) for at in gap]
    chance = max(1 / family.vocab_size, stood.count(commonest) / len(stood))

    shares = {
        name: share_right(family, sampler, texts, gaps) for name, sampler in fitting(family).items()
    }

    assert len(shares) > 1
    assert min(shares.values()) > MARGIN * chance, shares


@pytest.mark.parametrize("name", FAMILIES[:1])
def test_a_run_that_stopped_goes_on_as_if_it_had_not(name: str, tmp_path: Path) -> None:
    """Losses after resuming are those of a run in one go."""
    half = Plan(2, checkpoint_every=2, validate_every=2, n_warmup=1, share_falling=0.0)
    plan = Plan(4, checkpoint_every=2, validate_every=2, n_warmup=1, share_falling=0.0)
    losses = {}
    for folder, plans in (("whole", [plan]), ("halves", [half, plan])):
        for part in plans:
            trainer(name, tmp_path / folder, part).run()
        lines = map(json.loads, (tmp_path / folder / METRICS).read_text().splitlines())
        losses[folder] = [line["loss"] for line in lines if line["kind"] == "train"]

    assert losses["halves"] == losses["whole"]


@pytest.mark.parametrize("name", sorted(set(MODELS.names()) - set(FAMILIES)))
def test_a_family_that_is_not_trained_here_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """What can't be trained is told, before anything is written."""
    with pytest.raises(UnsupportedPairing, match=name):
        trainer(name, tmp_path)


def test_masks_leave_the_first_token_and_hide_one_at_least() -> None:
    """No text is without a target, and gaps do not cover all of it."""
    texts = torch.zeros(64, 48, dtype=torch.long)
    masked = mask(texts, Random(1))

    assert not masked[:, 0].any()
    assert masked.any(dim=1).all()
    assert masked.float().mean() < 0.6
