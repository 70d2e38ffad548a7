"""What holds for every family in the folder, in small and with random weights."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from support import tiny

from model_runtime.caches import CACHES
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.errors import CanvasTooLong, UnsupportedPairing
from model_runtime.models import MODELS
from model_runtime.models.parts.family import Family
from model_runtime.models.parts.masked import MaskedTransformer
from model_runtime.models.parts.timed import TimedTransformer

LENGTH = 21
OPEN = range(6, 15)
FAMILIES = [name for name in MODELS.names() if issubclass(MODELS.load(name), Family)]
#: Variants that take several canvases at once.
BATCHED = [
    variant
    for variant in tiny.VARIANTS
    if issubclass(tiny.class_of(variant), (MaskedTransformer, TimedTransformer))
]
NOISE_LEVEL = 0.7


def canvas_of(family: Family, seed: int = 0, length: int = LENGTH) -> Canvas:
    """Make a canvas with given tokens on both sides of open ones, one of which is settled."""
    rng = torch.Generator().manual_seed(seed)
    token_ids = torch.randint(0, 50, (length,), generator=rng)
    given = torch.ones(length, dtype=torch.bool)
    given[OPEN.start : OPEN.stop] = False
    if family.mask_id is not None:
        token_ids[OPEN.start + 1 : OPEN.stop] = family.mask_id
    return Canvas(token_ids, given, family.mask_id)


def predict(family: Family, canvas: Canvas, positions: torch.Tensor) -> torch.Tensor:
    """Ask a family about positions, without a cache."""
    return family.predict(canvas, Query(positions, NOISE_LEVEL), NoCache()).rows


def levels(n: int) -> torch.Tensor:
    """Return one noise level a canvas."""
    return torch.full((n,), NOISE_LEVEL)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Compare rows to rounding."""
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_small_configuration(name: str) -> None:
    """A family without one would escape the tests below."""
    assert any(variant.split("-")[0] == name for variant in tiny.VARIANTS)


@pytest.mark.parametrize("name", FAMILIES)
def test_declared_caches_exist(name: str) -> None:
    """A family names caches that are in the folder, and can always do without."""
    caches = MODELS.load(name).caches

    assert caches <= set(CACHES.names())
    assert "none" in caches


def test_importing_families_is_light() -> None:
    """No family makes a runtime that does not use it import transformers or torchao."""
    modules = ", ".join(f"model_runtime.models.{name}" for name in FAMILIES)
    code = f"import sys, {modules}; print({{'transformers', 'torchao'}} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_a_prediction_has_a_row_for_each_position_asked_for(variant: str) -> None:
    """Rows are float32 over the whole vocabulary, in the order asked, repetitions included."""
    family = tiny.tiny(variant)
    canvas = canvas_of(family)
    positions = torch.tensor([OPEN.start, *OPEN])

    prediction = family.predict(canvas, Query(positions, NOISE_LEVEL), NoCache())

    assert prediction.kind in family.kinds
    assert prediction.rows.shape == (len(positions), family.vocab_size)
    assert prediction.rows.dtype == torch.float32
    assert prediction.rows.isfinite().all()
    assert_close(prediction.rows[0], prediction.rows[1])


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_rows_do_not_depend_on_what_else_is_asked_for(variant: str) -> None:
    """A question about some positions gets the rows that one about all gets."""
    family = tiny.tiny(variant)
    canvas = canvas_of(family)
    every = torch.arange(OPEN.start, OPEN.stop)
    # DiffusionGemma's block is what a question spans.
    some = torch.tensor([0, 3, 5, len(every) - 1])

    rows = predict(family, canvas, every[some])

    assert_close(rows, predict(family, canvas, every)[some])


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_half_precision_stays_close(variant: str) -> None:
    """With bfloat16 weights, rows are float32 and roughly what they are in full precision."""
    full, half = tiny.tiny(variant), tiny.tiny(variant, torch.bfloat16)
    positions = torch.arange(OPEN.start + 1, OPEN.stop)
    if full.mask_id is None:
        positions = positions - 1

    exact = predict(full, canvas_of(full), positions)
    found = predict(half, canvas_of(half), positions)

    assert found.dtype == torch.float32
    columns = torch.arange(full.vocab_size) != full.mask_id
    assert (found - exact)[:, columns].std() < 0.3 * exact[:, columns].std()


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_too_long_a_canvas_is_refused(variant: str) -> None:
    """A canvas longer than the model's positions is the request's fault, and said so."""
    family = tiny.tiny(variant)
    canvas = canvas_of(family, length=family.max_length + 1)

    with pytest.raises(CanvasTooLong, match=str(family.max_length)):
        predict(family, canvas, torch.arange(OPEN.start, OPEN.stop))


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_predicting_leaves_the_canvas_alone(variant: str) -> None:
    """Predicting changes nothing on the canvas."""
    family = tiny.tiny(variant)
    canvas = canvas_of(family)
    before = canvas.token_ids.clone()

    predict(family, canvas, torch.arange(OPEN.start, OPEN.stop))

    assert torch.equal(canvas.token_ids, before)


@pytest.mark.parametrize("variant", BATCHED)
def test_predict_is_a_row_of_predict_all(variant: str) -> None:
    """One canvas alone, and the same canvas in a batch, get the same rows."""
    family = tiny.tiny(variant)
    canvases = [canvas_of(family, seed) for seed in range(3)]
    token_ids = torch.stack([canvas.token_ids for canvas in canvases])

    together = family.predict_all(token_ids, noise_level=levels(3))

    for canvas, rows in zip(canvases, together, strict=True):
        alone = family.predict_all(canvas.token_ids[None], noise_level=levels(1))
        assert_close(rows, alone[0])
        assert_close(rows, predict(family, canvas, torch.arange(LENGTH)))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("variant", BATCHED)
def test_padding_does_not_matter(variant: str, side: str) -> None:
    """Canvases of different lengths in one batch get the rows they get alone."""
    family = tiny.tiny(variant)
    short = canvas_of(family, seed=1, length=LENGTH - 5).token_ids
    long = canvas_of(family, seed=2).token_ids
    gap = torch.full((5,), 3)
    padded = torch.cat((gap, short) if side == "left" else (short, gap))
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    real = slice(5, None) if side == "left" else slice(None, -5)
    mask[0] = 0
    mask[0, real] = 1

    rows = family.predict_all(torch.stack((padded, long)), mask, levels(2))

    alone = family.predict_all(short[None], noise_level=levels(1))[0]
    first = 1 if getattr(family, "shifted", False) and side == "left" else 0
    assert_close(rows[0, real][first:], alone[first:])
    assert_close(rows[1], family.predict_all(long[None], noise_level=levels(1))[0])


@pytest.mark.parametrize("variant", sorted(set(tiny.VARIANTS) - set(BATCHED)))
def test_families_of_single_canvases_say_so(variant: str) -> None:
    """A family that takes one canvas at a time refuses several."""
    with pytest.raises(UnsupportedPairing, match="one canvas at a time"):
        tiny.tiny(variant).predict_all(torch.zeros(2, 8, dtype=torch.long))
