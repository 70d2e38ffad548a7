"""Steps of few shapes: what the model says does not depend on whether it is said in one of them."""

from __future__ import annotations

import functools
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import tiny_canvas
from support.remembered import Remembered
from support.tiny_base import CONFIG, MASK_ID, tiny_denoiser
from support.tiny_canvas import Listener, Patience

from model_runtime.caches.causal import Ahead
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.models.capture import CannotCapture, capture_of
from model_runtime.models.captured import ROWS, CapturedSteps, captured_steps, lay_out
from model_runtime.models.gated import Feed
from model_runtime.models.rows import base_rows, rows_behind
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.training.parameters import AdapterParameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.canvas import CanvasDenoiser
    from model_runtime.models.gated import Rows
    from model_runtime.protocol import Finished

#: Longer than the smallest number of keys, so that a text can grow out of it.
LENGTH = 1200
SMALL = LENGTH - 60
#: Where canvas rows differ: the adapter's products are of floats, which round by how many they are.
CANVAS_TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    """Compute as requests do."""
    with torch.inference_mode():
        yield


@functools.cache
def base() -> CanvasDenoiser:
    """Return a base of integer weights, whose rows are independent, with a loud adapter."""
    with torch.inference_mode(mode=False):
        denoiser, weight, scale = tiny_denoiser(max_length=LENGTH)
        vocabulary = torch.arange(0, CONFIG.vocab_size - 1, 2)
        torch.manual_seed(0)
        made = AdapterParameters(CONFIG, 4, vocabulary, torch.zeros(CONFIG.width), link_rank=8)
        for parameter in made.parameters():
            parameter.requires_grad_(requires_grad=False).normal_(0, 0.3)
    head = (weight[vocabulary].float() * scale[vocabulary, None]).t()
    denoiser.model.attach(made.adapter(), lambda x: x @ head)
    return denoiser


def captured(denoiser: CanvasDenoiser, capture: Remembered) -> CapturedSteps:
    """Let a model capture from now on."""
    denoiser.model.captured = CapturedSteps(denoiser.model, capture)
    return denoiser.model.captured


def tokens(n: int, seed: int) -> list[int]:
    """Return a text."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, MASK_ID, (n,), generator=rng).tolist()


def rows_of(n_kept: int, n_base: int, n_masks: int) -> Rows:
    """Return rows behind a kept prefix: some of the base, and masks behind the first of them."""
    settled = torch.tensor(tokens(n_base, n_kept))
    end = n_kept + n_base
    positions = torch.arange(end, end + n_masks + 1)
    visible = torch.full_like(positions, n_kept + 1)
    visible[0] = end
    return rows_behind(settled, n_kept, positions, visible)[0]


REQUEST = st.tuples(
    st.one_of(st.integers(0, 140), st.sampled_from([255, 256, 383, 384, 505, 511, 512, 640])),
    st.integers(1, 12),
    st.integers(0, 8),
)


@settings(max_examples=25, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=3))
def test_a_padded_step_says_what_a_plain_one_says(requests: list[tuple[int, int, int]]) -> None:
    """Base rows to the last bit, what is kept of them as well; canvas rows to rounding."""
    denoiser = base()
    model = denoiser.model

    def feeds() -> list[Feed]:
        made = []
        for seed, (n_kept, n_base, n_masks) in enumerate(requests):
            cache = denoiser.new_cache()
            cache.bring(Ahead(0, tokens(n_kept, seed), n_unseen=0), *random_rows(n_kept, seed))
            made.append(Feed(rows_of(n_kept, n_base, n_masks), cache))
        return made

    plain, first, again = feeds(), feeds(), feeds()
    expected = model.plain_forward(plain)
    capture = Remembered()
    steps = CapturedSteps(model, capture)
    # Three long ones may be more than a recorded step takes.
    n_kept = [len(one.cache) for one in first]
    assume(lay_out([one.rows for one in first], n_kept, steps.most_keys) is not None)
    assert steps.forward(first) is not None
    found = steps.forward(again)
    assert found is not None
    assert (capture.n_captured, capture.n_replayed) == (1, 2)
    for feed, mine, other, right in zip(plain, again, found, expected, strict=True):
        n = feed.rows.n_base
        assert torch.equal(other[:n], right[:n])
        assert (other - right).abs().max() < CANVAS_TOLERANCE * right.std()
        kept = []
        for one in (feed, mine):
            cache: CausalCache = one.cache  # type: ignore[assignment]  # see `feeds`
            cache.keep(tokens(n, 0))
            kept.append(cache.kept_rows())
        assert all(torch.equal(a, b) for a, b in zip(*kept, strict=True))


def random_rows(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return keys and values to have kept."""
    rng = torch.Generator().manual_seed(seed)
    shape = (CONFIG.n_layers, n, CONFIG.n_kv_heads, CONFIG.head_dim)
    return torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)


def decode(denoiser: CanvasDenoiser, prompt: list[int], n: int) -> tuple[list[int], list[float]]:
    """Fill behind a prompt with `hybrid`, bold drafts and all; return tokens and confidence."""
    token_ids = torch.tensor(prompt + [MASK_ID] * n)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), MASK_ID)
    sampler, sure = Hybrid(HybridParams(threshold=0.0)), []
    denoise(
        denoiser, sampler, denoiser.new_cache(), canvas, Budget(), torch.Generator(),
        on_step=lambda step: sure.append(step.update.confidence.clone()),
    )  # fmt: skip
    found = canvas.token_ids[len(prompt) :].tolist()
    return found, [each for one in sure for each in one[len(prompt) :].tolist()]


@pytest.mark.parametrize("n_prompt", [1, 100, 490])
def test_hybrid_says_the_same(n_prompt: int) -> None:
    """Drafts of the canvas and of repeats, checked; also where the text outgrows a size."""
    denoiser, capture = base(), Remembered()
    denoiser.model.captured = None
    expected, sure = decode(denoiser, tokens(n_prompt, 1), 40)
    captured(denoiser, capture)
    found, also = decode(denoiser, tokens(n_prompt, 1), 40)
    denoiser.model.captured = None
    assert found == expected
    assert also == pytest.approx(sure, abs=CANVAS_TOLERANCE)
    assert capture.n_replayed > capture.n_captured


def test_few_shapes_serve_all_steps() -> None:
    """A text of many lengths takes two sizes of keys; and each number of rows is not its own."""
    denoiser, capture = base(), Remembered()
    captured(denoiser, capture)
    decode(denoiser, tokens(480, 2), 60)
    denoiser.model.captured = None
    assert capture.n_captured <= 2 * len(ROWS)
    assert capture.n_replayed > 4 * capture.n_captured


def fill(
    engine_seed: int, capture: Remembered | None, works: list[InfillRequest]
) -> list[Finished]:
    """Fill requests side by side with the small engine."""
    engine = tiny_canvas.engine(engine_seed)
    model = engine._model.denoiser.model  # type: ignore[union-attr]  # a tiny engine has one
    model.captured = None if capture is None else CapturedSteps(model, capture)
    done: dict[str, Finished] = {}

    def work(request: InfillRequest) -> None:
        done[request.id] = engine.infill(request, Listener(), Patience())

    waiting: deque[Callable[[], None]] = deque(partial(work, one) for one in works)
    engine.run_side_by_side(lambda: waiting.popleft() if waiting else None)
    model.captured = None
    return [done[one.id] for one in works]


def test_every_mode_says_the_same() -> None:
    """Infill with alternatives, rewrite, repair and holes; each alone, and all side by side."""
    span, text = MaskSpan(max_tokens=12), MaskSpan(text="a + b", max_tokens=9)
    two = (MaskSpan(following="\n", max_tokens=6), MaskSpan(max_tokens=6))
    common = {"suffix": "\nend", "seed": 3}
    works = [
        InfillRequest(id="a", prefix="x = ", spans=(span,), n_alternatives=3, **common),
        InfillRequest(id="b", prefix="y = 1\n" * 70, spans=(span,), **common),
        InfillRequest(id="c", prefix="z = ", spans=(text,), mode="rewrite", **common),
        InfillRequest(id="d", prefix="z = ", spans=(text,), mode="repair", **common),
        InfillRequest(id="e", prefix="q", spans=two, mode="holes", **common),
        InfillRequest(id="f", prefix="q", spans=(span,), sampler="low_confidence", **common),
    ]
    for group in (*([one] for one in works), works):
        capture = Remembered()
        for plain, found in zip(fill(0, None, group), fill(0, capture, group), strict=True):
            assert [one.texts for one in found.alternatives] == [
                one.texts for one in plain.alternatives
            ]
            assert found.usage.n_forwards == plain.usage.n_forwards
        assert capture.n_replayed


def test_what_another_left_there_is_not_seen() -> None:
    """Not even what is no number: masked, it would spoil a sum all the same."""
    model = base().model
    steps = CapturedSteps(model, Remembered())
    for kept in (steps._keys, steps._values):
        kept.fill_(float("nan"))
    for _ in range(2):
        feeds = [Feed(rows_of(0, 3, 2), base().new_cache()) for _ in range(2)]
        found = steps.forward(feeds)
        assert found is not None
        assert torch.cat(found).isfinite().all()
    assert not steps.given_up


def test_more_than_a_size_holds_is_made_plainly() -> None:
    """Many rows, or more keys than the longest context has."""
    assert lay_out([base_rows(tokens(ROWS[-1], 0), 0)], [0], 512) is not None
    assert lay_out([base_rows(tokens(ROWS[-1] + 1, 0), 0)], [0], 512) is None
    one = base_rows([1, 2], 500)
    assert lay_out([one], [500], 512) is not None
    assert lay_out([one, one], [500, 500], 512) is None


def test_a_step_around_rows_ahead_is_made_plainly() -> None:
    """What was brought along stands between what is fed; a recorded step has no such gap."""
    denoiser, capture = base(), Remembered()
    captured(denoiser, capture)
    context, cache = tokens(40, 1), denoiser.new_cache()
    cache.bring(Ahead(10, context[10:30], n_unseen=1), *random_rows(20, 1))
    denoiser.encode(context, cache)
    denoiser.model.captured = None
    assert not capture.n_captured
    assert cache.token_ids == context
    assert cache.n_rows == 20


@pytest.mark.parametrize("wrong_by", [3.0, float("nan")])
def test_a_wrong_recording_is_noticed(wrong_by: float, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, and from then on every step is a plain one; no text is ever made of it."""
    denoiser = base()
    denoiser.model.captured = None
    expected, _ = decode(denoiser, tokens(30, 3), 12)
    capture = Remembered(wrong_by)
    captured(denoiser, capture)
    with caplog.at_level(logging.WARNING):
        found, _ = decode(denoiser, tokens(30, 3), 12)
        decode(denoiser, tokens(40, 3), 12)
    denoiser.model.captured = None
    assert found == expected
    assert (capture.n_captured, len(caplog.records)) == (1, 1)
    assert "did not say what a plain one says" in caplog.text


def test_a_device_that_fails_to_record_goes_on_plainly(caplog: pytest.LogCaptureFixture) -> None:
    """Its own words stand in the log, once."""

    def fails(_: Callable[[], Tensor]) -> Callable[[], Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    denoiser = base()
    denoiser.model.captured = CapturedSteps(denoiser.model, fails)
    with caplog.at_level(logging.WARNING):
        found, _ = decode(denoiser, tokens(30, 3), 12)
    denoiser.model.captured = None
    assert found == decode(denoiser, tokens(30, 3), 12)[0]
    assert [one.getMessage().endswith("is capturing") for one in caplog.records] == [True]


def test_the_processor_records_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks is told so, and fills plainly."""
    with pytest.raises(CannotCapture, match="records nothing on cpu"):
        capture_of(torch.device("cpu"))
    with caplog.at_level(logging.WARNING):
        assert captured_steps(base().model) is None
    assert "launched kernel by kernel" in caplog.text
