"""What holds for every cache in the folder, with every family that it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import tiny

from model_runtime.caches import CACHES
from model_runtime.caches.base import Cache, KeptRows, Rows, closed_run
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Block, Canvas, Query, Update
from model_runtime.models import MODELS

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.models.parts.family import Family

#: The default family's cache has its own rows and its own tests.
NAMES = sorted(set(CACHES.names()) - {"causal"})
#: By name: one of them takes seconds to make, which tests elsewhere need not wait for.
MASKLESS = {"diffusion_gemma", "sedd-uniform"}
PAIRS = [
    (name, variant)
    for name in NAMES
    for variant in tiny.VARIANTS
    if name in tiny.class_of(variant).caches and variant not in MASKLESS
]
KEEPING = [(name, variant) for name, variant in PAIRS if issubclass(CACHES.load(name), KeptRows)]
FORGETTING = [(name, variant) for name, variant in KEEPING if not CACHES.load(name).moves]
MOVING = sorted(set(KEEPING) - set(FORGETTING))
EXACT = [(name, variant) for name, variant in PAIRS if CACHES.load(name).exact]
APPROXIMATE = sorted(set(PAIRS) - set(EXACT))
LENGTH, START, END = 30, 7, 23
BLOCK_LENGTH = 8


def test_all_with_masks_are_tried() -> None:
    """A family is left out for having none, and for nothing else."""
    found = {variant for variant in tiny.VARIANTS if tiny.tiny(variant).mask_id is None}
    assert found == MASKLESS


class Counting(Cache):
    """Passes everything on to another cache, and counts the rows that are fed."""

    name, exact = "counting", True

    def __init__(self, inner: Cache) -> None:
        self.inner = inner
        self.n_fed = 0

    def begin(self, block: Block) -> None:
        """Pass it on."""
        self.inner.begin(block)

    def feed(self, rows: Rows) -> Tensor:
        """Pass it on and count."""
        fed = self.inner.feed(rows)
        self.n_fed += len(fed)
        return fed

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Pass it on."""
        return self.inner.extend(layer, keys, values)

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Pass it on."""
        self.inner.settle(canvas, update)


def make_canvas(family: Family) -> Canvas:
    """Make a canvas with masks between given tokens."""
    token_ids = torch.randint(0, 50, (LENGTH,), generator=torch.Generator().manual_seed(5))
    token_ids[START:END] = family.mask_id
    given = torch.ones(LENGTH, dtype=torch.bool)
    given[START:END] = False
    return Canvas(token_ids, given, family.mask_id)


def write(canvas: Canvas, cache: Cache, positions: Tensor, token_ids: Tensor) -> None:
    """Commit tokens, as the loop does."""
    after = canvas.token_ids.scatter(0, positions, token_ids)
    committed = torch.zeros_like(canvas.given).index_fill(0, positions, value=True)
    update = Update(after, committed, done=False)
    canvas.apply(update)
    cache.settle(canvas, update)


def queries(family: Family, canvas: Canvas, masked: Tensor) -> Query:
    """Ask about masks; an order-based family in a decoding order of its own."""
    if not family.ordered:
        return Query(masked, noise_level=0.7)
    open_ones = canvas.open_positions()
    order = torch.cat((canvas.given.nonzero().squeeze(1), open_ones.roll(3)))
    n_clean = int(canvas.committed.sum())
    positions = order[n_clean : n_clean + 3]
    return Query(positions, order=order, visible=torch.full_like(positions, n_clean))


def fill(family: Family, cache: Cache) -> list[tuple[Tensor, Tensor]]:
    """Fill a canvas two tokens a step, block by block; return rows with and without the cache.

    What is committed follows the rows without a cache, so that errors do not pile up.
    """
    canvas, pairs = make_canvas(family), []
    # In an order of its own, a family fills the whole canvas at once.
    block_length = LENGTH if family.ordered else BLOCK_LENGTH
    for positions in canvas.open_positions().split(block_length):
        block = Block(canvas.token_ids, positions, canvas.given, family.mask_id, family.vocab_size)
        cache.begin(block)
        n_done = int(canvas.committed.sum()) + len(positions)
        while int(canvas.committed.sum()) < min(n_done, LENGTH):
            query = queries(family, canvas, positions[block.masked(canvas.token_ids)])
            exact = family.predict(canvas, query, NoCache()).rows
            pairs.append((family.predict(canvas, query, cache).rows, exact))
            tokens = exact.index_fill(1, torch.tensor(family.mask_id), -torch.inf).argmax(1)
            # From the right, where the order is free: so the block's first position stays open.
            two = slice(2) if family.ordered else slice(-2, None)
            write(canvas, cache, query.positions[two], tokens[two])
    return pairs


@pytest.mark.parametrize("name", NAMES)
def test_every_cache_fits_a_family(name: str) -> None:
    """A cache that no family declares could not be used."""
    assert any(name in MODELS.load(family).caches for family in MODELS.names())


@pytest.mark.parametrize(("name", "variant"), EXACT)
def test_an_exact_cache_changes_nothing(name: str, variant: str) -> None:
    """Through a whole filling, the rows are those without a cache, to rounding."""
    for cached, exact in fill(tiny.tiny(variant), CACHES.load(name)()):
        torch.testing.assert_close(cached, exact, atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize(("name", "variant"), APPROXIMATE)
def test_an_approximate_cache_is_as_far_off_as_it_says(name: str, variant: str) -> None:
    """The mean error, in standard deviations of the logits, is some and below what is stated."""
    kind = CACHES.load(name)

    errors = [
        float((cached - exact).abs().mean() / exact.std())
        for cached, exact in fill(tiny.tiny(variant), kind())
    ]

    mean = sum(errors) / len(errors)
    assert 0 < mean <= kind.error


@pytest.mark.parametrize(("name", "variant"), KEEPING)
def test_a_cache_spares_rows(name: str, variant: str) -> None:
    """Fewer rows are computed than without; a version of Eso-LM without causal rows aside."""
    cache, without = Counting(CACHES.load(name)()), Counting(NoCache())

    fill(tiny.tiny(variant), cache)
    fill(tiny.tiny(variant), without)

    assert cache.n_fed < without.n_fed or variant == "eso-mixed"


@pytest.mark.parametrize(("name", "variant"), KEEPING)
def test_the_first_forward_of_a_block_is_exact(name: str, variant: str) -> None:
    """Nothing is kept from before, so nothing can be stale."""
    family, cache = tiny.tiny(variant), CACHES.load(name)()
    canvas = make_canvas(family)
    query = queries(family, canvas, torch.arange(START, END))

    cached = family.predict(canvas, query, cache).rows

    exact = family.predict(canvas, query, NoCache()).rows
    torch.testing.assert_close(cached, exact, atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize(("name", "variant"), EXACT)
def test_an_exact_cache_notices_a_changed_context(name: str, variant: str) -> None:
    """A token that changed behind its back, a given one even, is not answered from old rows."""
    family, cache = tiny.tiny(variant), CACHES.load(name)()
    canvas = make_canvas(family)
    query = queries(family, canvas, torch.arange(START, END))
    family.predict(canvas, query, cache)
    canvas.token_ids = canvas.token_ids.clone()
    canvas.token_ids[2] = (canvas.token_ids[2] + 1) % 50

    cached = family.predict(canvas, query, cache).rows

    exact = family.predict(canvas, query, NoCache()).rows
    torch.testing.assert_close(cached, exact, atol=1e-4, rtol=1e-6)


def moved(family: Family, cache: Cache) -> tuple[Tensor, Tensor]:
    """Take one position of a canvas out and put one in; return rows with and without the cache."""
    canvas = make_canvas(family)
    positions = torch.arange(START, END)
    cache.begin(Block(canvas.token_ids, positions, canvas.given, family.mask_id, family.vocab_size))
    write(canvas, cache, positions[2:4], torch.tensor([7, 8]))
    family.predict(canvas, queries(family, canvas, positions), cache)
    # One position is new, another gone: as long as before, and moved in between.
    before, behind = torch.arange(START, END - 1), torch.arange(END, LENGTH)
    source = torch.cat((torch.arange(START), torch.tensor([-1]), before, behind))
    committed = torch.zeros(len(source), dtype=torch.bool)
    after = canvas.token_ids[source.clamp_min(0)].where(source >= 0, family.mask_id)
    update = Update(after, committed, done=False, source=source)
    canvas.apply(update)
    cache.settle(canvas, update)
    query = Query(canvas.open_positions()[-1:])
    cached = family.predict(canvas, query, cache).rows
    return cached, family.predict(canvas, query, NoCache()).rows


@pytest.mark.parametrize(("name", "variant"), FORGETTING)
def test_a_moved_canvas_is_computed_afresh(name: str, variant: str) -> None:
    """After an update that moves positions, the next rows are exact: nothing old fits."""
    cached, exact = moved(tiny.tiny(variant), CACHES.load(name)())

    torch.testing.assert_close(cached, exact, atol=1e-4, rtol=1e-6)


def grown(family: Family, cache: Cache, n_more: int) -> tuple[Tensor, Tensor]:
    """Let a span grow by so many masks; return the next rows with and without the cache."""
    canvas = make_canvas(family)
    positions = torch.arange(START, END)
    cache.begin(Block(canvas.token_ids, positions, canvas.given, family.mask_id, family.vocab_size))
    family.predict(canvas, queries(family, canvas, positions), cache)
    every = torch.arange(LENGTH)
    source = torch.cat((every[:END], torch.full((n_more,), -1), every[END:]))
    after = canvas.token_ids[source.clamp_min(0)].where(source >= 0, family.mask_id)
    committed = torch.zeros(len(source), dtype=torch.bool)
    update = Update(after, committed, done=False, source=source)
    canvas.apply(update)
    cache.settle(canvas, update)
    query = Query(canvas.open_positions())
    cached = family.predict(canvas, query, cache).rows
    return cached, family.predict(canvas, query, NoCache()).rows


@pytest.mark.parametrize(("name", "variant"), MOVING)
@pytest.mark.parametrize("n_more", [1, 6])
def test_moved_rows_are_as_far_off_as_the_cache_says(name: str, variant: str, n_more: int) -> None:
    """Rows behind a place that grew are turned and kept, and none but the open ones is computed."""
    cache = CACHES.load(name)()

    counting = Counting(cache)
    cached, exact = grown(tiny.tiny(variant), counting, n_more)

    assert counting.n_fed <= LENGTH + END - START + n_more + 1
    assert 0 < float((cached - exact).abs().mean() / exact.std()) <= CACHES.load(name).error


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), min_size=1, max_size=8))
def test_a_closed_run_sees_nothing_beyond_itself(drawn: list[tuple[bool, int]]) -> None:
    """It is made of leading unchanged rows, none looks past its end, and no longer run is so."""
    same = torch.tensor([unchanged for unchanged, _ in drawn])
    horizon = torch.tensor([reach for _, reach in drawn])
    blank = torch.zeros_like(horizon)
    rows = Rows(blank, blank, horizon, same, same)

    run = int(closed_run(rows, same).sum())

    def is_closed(end: int) -> bool:
        return bool(same[:end].all() and (horizon[:end] <= end).all())

    assert closed_run(rows, same)[:run].all()
    assert is_closed(run)
    assert not any(is_closed(end) for end in range(run + 1, len(drawn) + 1))
