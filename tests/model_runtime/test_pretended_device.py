"""The whole runtime on a pretended accelerator: nothing mixes devices, and few steps wait."""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch
from support import tiny
from support.bases import write_base_gguf
from support.pretended import (
    MissingOnDeviceError,
    MixedDevicesError,
    Pretended,
    counting,
    pretended,
)
from support.pretended_graph import PretendedGraph
from support.tiny_base import CONFIG
from support.tiny_canvas import Listener, Patience
from support.tiny_checkpoint import checkpoint

from model_runtime.caches import CACHES
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, check_pairing, denoise
from model_runtime.devices import captures_steps
from model_runtime.devices_command import described
from model_runtime.engines.loading import load_default
from model_runtime.engines.local import LocalEngine
from model_runtime.engines.published import RULES, PublishedEngine
from model_runtime.errors import DeviceFailed, UnsupportedPairing
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.capture import capture_of
from model_runtime.models.captured import captured_steps
from model_runtime.models.gated import GatedModel, Layer
from model_runtime.models.layers import DenseLinear, Embedding
from model_runtime.models.parts.config import parse_config
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers import SAMPLERS
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.settings import RuntimeSettings
from model_runtime.training.examples import Example
from model_runtime.training.loop import Plan, Trainer
from model_runtime.training.objective import Mixture
from model_runtime.training.parameters import AdapterParameters

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.family import Family

KINDS = ["cuda", "mps"]
#: One for each kind of family.
FIRST_RULES = ("eso", "low_confidence", "score_entropy")
LENGTH, OPEN = 16, range(6, 12)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute on one: to wake another takes longer than anything here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class DeviceWeights(tiny.RandomWeights):
    """Random weights in bfloat16, on the device."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(torch.bfloat16)
        self.device = device

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Draw it and bring it there."""
        return super().tensor(name, *shape, dtype=dtype).to(self.device)


def family_on(variant: str, device: torch.device) -> Family:
    """Make a small family on the device."""
    family = tiny.class_of(variant)
    config = parse_config(tiny.config_of(variant), family.config_type)
    return family(config, DeviceWeights(device))


def test_a_planted_mix_is_found() -> None:
    """Sums, products, concatenations and indices of both kinds are refused, in every form."""
    with pretended() as device:
        there, here = torch.ones(3, device=device), torch.ones(3)
        mixes: list[Callable[[], object]] = [
            lambda: there + here,
            lambda: here * there,
            lambda: torch.cat((there, here)),
            lambda: torch.where(there > 0, there, here),
            lambda: here[there.long()],
            lambda: there.add_(here),
            lambda: torch.nn.functional.linear(there[None], here[None]),
        ]
        for mix in mixes:
            with pytest.raises((MixedDevicesError, RuntimeError)):
                mix()
        there[0] = 2
        assert (there + 1).tolist() == [3.0, 2.0, 2.0]
        assert (there + torch.tensor(1.0)).device.type == "cuda"


def test_what_a_device_has_not_is_refused() -> None:
    """Doubles and some whole numbers on Metal; products of whole numbers anywhere."""
    with pretended("mps") as device:
        with pytest.raises(MissingOnDeviceError, match="float64"):
            torch.ones(3, dtype=torch.float64, device=device)
        with pytest.raises(MissingOnDeviceError, match="int64"):
            torch.arange(3).to(device).cummax(0)
        with pytest.raises(MissingOnDeviceError, match="whole numbers"):
            _ = torch.ones(2, 2, dtype=torch.long, device=device) @ torch.eye(2).long().to(device)


@pytest.mark.parametrize("is_inference", [True, False])
def test_waiting_is_counted(*, is_inference: bool) -> None:
    """What comes back counts, and what is sent and not queued; what is queued is not there yet."""
    with pretended() as device, torch.inference_mode(is_inference):
        there = torch.arange(4.0).to(device)
        with counting() as nothing:
            index = torch.tensor([1, 2]).pin_memory().to(device, non_blocking=True)
            _ = (there[index] * 2).softmax(-1)
            here = torch.empty(4, pin_memory=True)
            here.copy_(there, non_blocking=True)
            assert here.isnan().all()
        waits: list[Callable[[], object]] = [
            lambda: float(there[0]),
            there.tolist,
            there.max().item,
            lambda: bool(there.max()),
            lambda: range(int(there.max())),
            lambda: torch.equal(there, there),
            lambda: torch.where(there > 1),
            there.unique,
            lambda: there.repeat_interleave(torch.ones_like(there, dtype=torch.long)),
            there.cpu,
            lambda: there[there > 1],
            there.nonzero,
            lambda: torch.tensor([1, 2]).to(device),
            lambda: torch.tensor([1, 2]).to(device, non_blocking=True),
            lambda: torch.tensor([1, 2], device=device),
            lambda: there[torch.tensor([1, 2])],
            lambda: there.copy_(torch.zeros(4)),
            lambda: torch.zeros(4).copy_(there),
            torch.accelerator.current_stream().synchronize,
        ]
        for wait in waits:
            with counting() as waited:
                wait()
            assert waited.total() == 1
    assert not nothing
    assert here.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_every_pairing_runs(variant: str, kind: str) -> None:
    """Each family with each cache and each sampler that fits it fills a canvas, in bfloat16."""
    n_run = 0
    with pretended(kind) as device, torch.inference_mode():
        family = family_on(variant, device)
        for cache_name in sorted(family.caches):
            for name in SAMPLERS.names():
                # What Metal has not, or a variant of a family does otherwise, shows in a cache or
                # in a rule, not in how they meet.
                is_first = kind == "cuda" and "-" not in variant
                if not is_first and cache_name != "none" and name not in FIRST_RULES:
                    continue
                params = {"expand": {"expand_id": 3, "eos_id": 4}}.get(name, {})
                sampler = SAMPLERS.load(name).from_mapping(params)
                cache = CACHES.load(cache_name)()
                try:
                    check_pairing(family, sampler, cache)
                    _fill(family, sampler, cache)
                except UnsupportedPairing:
                    continue
                n_run += 1
    assert n_run


def _fill(family: Family, sampler: Any, cache: Cache) -> None:
    token_ids = torch.arange(LENGTH) % 40 + 5
    given = torch.ones(LENGTH, dtype=torch.bool)
    given[OPEN.start : OPEN.stop] = False
    if family.mask_id is not None:
        token_ids[~given] = family.mask_id
    before = token_ids[given].tolist()
    canvas = Canvas(token_ids, given, family.mask_id)
    denoise(family, sampler, cache, canvas, Budget(n_steps=3), torch.Generator().manual_seed(0))
    assert canvas.token_ids[canvas.given].tolist() == before


def canvas_model(device: torch.device, dtype: torch.dtype = torch.bfloat16) -> GatedModel:
    """Return the default family in small, on the device."""
    rng = torch.Generator().manual_seed(0)

    def linear(n_out: int, n_in: int) -> DenseLinear:
        weight = torch.randn(n_out, n_in, generator=rng) / n_in**0.5
        return DenseLinear(weight.to(device, dtype))

    def norm() -> Tensor:
        return torch.ones(CONFIG.width).to(device, dtype)

    width, mlp = CONFIG.width, CONFIG.mlp_width
    layers = [
        Layer(norm(), linear(64, width), linear(width, 32), norm(), linear(2 * mlp, width),
              linear(width, mlp))
        for _ in range(CONFIG.n_layers)
    ]  # fmt: skip
    table = torch.randn(CONFIG.vocab_size, width, generator=rng).to(device, dtype)
    return GatedModel(CONFIG, Embedding(table), layers, norm(), linear(CONFIG.vocab_size, width))


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalEngine]:
    """The local engine as it loads itself: a base from a file, and an adapter, on the device."""
    source = write_base_gguf("qwen2.5-coder", tmp_path / "base.gguf")
    with pretended(request.param) as device:
        made = LocalEngine(
            RuntimeSettings(
                model=str(source), cache_dir=str(tmp_path), max_context_tokens=512, glance_tokens=64
            )
        )
        loaded = load_default(made._settings, lambda *_: None)
        assert loaded.device_text.startswith(request.param)
        model = loaded.denoiser.model
        assert isinstance(model.embedding._weight, Pretended)
        parameters = AdapterParameters(
            model.config, 4, torch.arange(0, 500, 2), torch.zeros(model.config.width), link_rank=8
        )
        path = tmp_path / "adapter.safetensors"
        parameters.save(path, {})
        _attach(loaded, path, device)
        made._model = loaded
        yield made


def _attach(loaded: Any, path: Path, device: torch.device) -> None:
    from model_runtime.models.weights import load_adapter  # noqa: PLC0415

    model = loaded.denoiser.model
    adapter = load_adapter(path, model)
    head = loaded.weights["head"][adapter.vocabulary.cpu()].to(device)
    model.attach(adapter, DenseLinear(head))
    if captures_steps("auto", device):
        # As the engine loads it, while it fills.
        with torch.inference_mode():
            model.captured = captured_steps(model)


def ask(engine: LocalEngine, **fields: Any) -> Any:
    """Send a request."""
    values = {
        "id": "r", "prefix": "def add(a, b):\n    x = a\n    return ", "suffix": "\n\nadd(1, 2)\n",
        "spans": (MaskSpan(max_tokens=10),), "seed": 1, "stream": True, **fields,
    }  # fmt: skip
    return engine.infill(InfillRequest(**values), Listener(), Patience())


def test_the_default_family_does_all_it_can(engine: LocalEngine) -> None:
    """Every mode, ranking, ghost text that moves, and requests side by side."""
    span = MaskSpan(text="a + b", max_tokens=10)
    two = (MaskSpan(following="\n", max_tokens=6), MaskSpan(max_tokens=6))
    ask(engine, n_alternatives=3)
    ask(engine, mode="rewrite", spans=(span,), strength=0.5)
    ask(engine, mode="infill", spans=(span,), instruction="subtract")
    ask(engine, mode="repair", spans=(span,))
    ask(engine, mode="holes", spans=two)
    ask(engine, mode="score", spans=(span,))
    for n_typed in range(3):
        ask(
            engine, lane="inline", document="d", may_glance=True,
            prefix="x = 1\n" * 60 + "y = " + "z" * n_typed, suffix="\n" + "print(x)\n" * 60,
        )  # fmt: skip
    engine.read_ahead(lambda: False)
    done: list[Any] = []
    works = deque([partial(lambda i: done.append(ask(engine, id=str(i))), i) for i in range(3)])
    engine.run_side_by_side(lambda: works.popleft() if works else None)
    assert len(done) == 3


def decode(
    engine: LocalEngine, params: HybridParams, n_tokens: int = 8
) -> tuple[list[int], int, Counter[str]]:
    """Fill behind a short prompt; return the tokens, the number of steps and what waited."""
    loaded = engine._model
    assert loaded is not None
    denoiser, fim = loaded.denoiser, loaded.layout.template
    prompt = fim.lay_out(fim.tokenizer.encode("def add(a, b):\n"), fim.tokenizer.encode("\n"))
    token_ids = torch.tensor(prompt + [denoiser.mask_id] * n_tokens)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), denoiser.mask_id)
    with counting() as waited, torch.inference_mode():
        n_steps = denoise(
            denoiser, Hybrid(params), denoiser.new_cache(), canvas, Budget(), torch.Generator()
        )
    return canvas.token_ids[len(prompt) :].tolist(), n_steps, waited


#: What a step sends before it, on a device whose memory can't be pinned: its numbers, what its rows
#: see, and which are asked for.
N_SENT = 3


@pytest.mark.parametrize("captured_steps", ["off", "on"])
def test_a_step_waits_for_its_logits_alone(engine: LocalEngine, captured_steps: str) -> None:
    """One wait for the checked rows and one for each draft; nothing else on the way of a step."""
    model = engine._model.denoiser.model  # type: ignore[union-attr]  # it is loaded
    is_pinned = Pretended.kind == "cuda"
    if captured_steps == "off":
        model.captured = None
    elif not is_pinned:
        pytest.skip("Metal records nothing")
    for params in (HybridParams(n_drafts=0), HybridParams(from_canvas=False)):
        decode(engine, params)
        _, n_steps, waited = decode(engine, params)
        sent = {} if is_pinned else {"to the device": N_SENT * n_steps}
        assert waited == {"to the processor": n_steps} | sent
    # Drafts: a row each, whose next one depends on the token before it.
    most = 1 + HybridParams().n_drafts
    decode(engine, HybridParams(threshold=0.0))
    _, n_steps, waited = decode(engine, HybridParams(threshold=0.0))
    assert n_steps <= waited["to the processor"] <= most * n_steps
    assert set(waited) <= {"to the processor"} | (set() if is_pinned else {"to the device"})


def test_captured_steps_say_what_plain_ones_say(engine: LocalEngine) -> None:
    """Recorded operation by operation: what a step reads stands in its buffers, all of it."""
    if Pretended.kind != "cuda":
        pytest.skip("Metal records nothing")
    model = engine._model.denoiser.model  # type: ignore[union-attr]  # it is loaded
    steps, n_before = model.captured, PretendedGraph.n_replays
    assert steps is not None
    for params in (HybridParams(n_drafts=0), HybridParams(threshold=0.0)):
        found = [decode(engine, params, 30)[0] for _ in range(2)]
        model.captured = None
        expected = decode(engine, params, 30)[0]
        model.captured = steps
        assert found == [expected, expected]
    assert not steps.given_up
    assert PretendedGraph.n_replays - n_before > len(steps._steps)


def test_a_graph_keeps_what_was_a_number_of_pythons() -> None:
    """So a step that is not all in its buffers is found; and nobody can wait while recording."""
    with pretended() as device:
        capture, buffer = capture_of(device), torch.ones(3, device=device)
        factor = 2.0
        replay = capture(lambda: buffer * factor)
        factor = 5.0
        buffer.add_(1)
        assert replay().tolist() == [4.0, 4.0, 4.0]
        with pytest.raises(RuntimeError, match="not permitted when capturing"):
            capture(lambda: buffer[buffer > 0])
        assert capture(lambda: buffer + 1)().tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("wanted", ["auto", "on"])
def test_a_device_that_records_nothing_says_so_once(
    engine: LocalEngine, wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it was asked for; by itself it is taken where it is there alone."""
    if Pretended.kind == "cuda":
        pytest.skip("CUDA records")
    settings = msgspec.structs.replace(engine._settings, captured_steps=wanted)
    with caplog.at_level(logging.WARNING):
        engine._model = load_default(settings, lambda *_: None)
        for _ in range(2):
            assert len(decode(engine, HybridParams())[0]) == 8
    told = [one for one in caplog.records if "kernel by kernel" in one.getMessage()]
    assert len(told) == (1 if wanted == "on" else 0)


@pytest.mark.parametrize("name", SAMPLERS.names())
def test_the_default_family_takes_its_samplers(engine: LocalEngine, name: str) -> None:
    """Each rule that fits the default family fills with it."""
    sampler = SAMPLERS.load(name)
    if not sampler.accepts & CanvasDenoiser.kinds or name in ("expand", "entropy_bound"):
        pytest.skip("does not fit the family")
    assert ask(engine, sampler=name).alternatives


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["dream", "llada", "sedd", "mdlm", "eso", "diffusion_gemma"])
def test_published_families_fill(family: str, kind: str, tmp_path: Path) -> None:
    """Through the engine, from a checkpoint on the disk."""
    assert family in {*RULES, "llada"}
    folder = checkpoint(tmp_path, family)
    with pretended(kind):
        engine = PublishedEngine(RuntimeSettings(model=str(folder)))
        request = InfillRequest(
            id="r", prefix="a = ", suffix="\n", spans=(MaskSpan(max_tokens=4),), seed=0
        )
        assert engine.infill(request, Listener(), Patience()).alternatives
        assert engine.describe().device.startswith(kind)


class Texts:
    """Examples to train on."""

    def __getitem__(self, index: int) -> Example:
        """Return one."""
        start = Random(index).randrange(40)
        return Example((torch.arange(60) + start) % 40, span_start=40)


@pytest.mark.parametrize("kind", KINDS)
def test_training_steps_run(kind: str, tmp_path: Path) -> None:
    """Two steps of the adapter's training and a validation, on the device."""
    with pretended(kind) as device:
        model = canvas_model(device)
        vocabulary = torch.arange(40)
        parameters = AdapterParameters(
            CONFIG, rank=4, vocabulary=vocabulary, mask_start=torch.zeros(CONFIG.width), link_rank=8
        )
        rows = torch.randn(40, CONFIG.width).to(device, torch.bfloat16)
        trainer = Trainer(
            CanvasDenoiser(model, CONFIG.vocab_size - 1, CONFIG.max_length),
            parameters.to(device),
            DenseLinear(rows),
            Texts(),  # type: ignore[arg-type]  # stands in for a stream of real files
            [Texts()[3]],
            Mixture(n_rows=24),
            Plan(2, learning_rate=1e-2, n_warmup=1, checkpoint_every=2, validate_every=1),
            tmp_path,
        )
        trainer.run()
    assert trainer.step == 2


class FailingOnce:
    """A head that fails the first time, as a device does."""

    def __init__(self, error: Exception, then: Callable[[Tensor], Tensor]) -> None:
        self._errors, self._then = [error], then

    def __call__(self, x: Tensor) -> Tensor:
        """Fail, or map."""
        if self._errors:
            raise self._errors.pop()
        return self._then(x)


def test_full_memory_fails_one_request_in_words(engine: LocalEngine) -> None:
    """The next request runs, on the same device."""
    assert engine._model is not None
    model = engine._model.denoiser.model
    model._head = FailingOnce(torch.OutOfMemoryError("CUDA out of memory"), model._head)
    with pytest.raises(DeviceFailed, match=r"memory of .* was full.*precision = int8"):
        ask(engine)
    assert ask(engine).alternatives
    assert engine.describe().device.startswith(Pretended.kind)


def test_a_lost_device_fails_one_request_in_words(engine: LocalEngine) -> None:
    """The next request runs, on the processor, and the description says why."""
    assert engine._model is not None
    model = engine._model.denoiser.model
    error = RuntimeError("CUDA error: unspecified launch failure\nmore of it")
    model._head = FailingOnce(error, model._head)
    with pytest.raises(DeviceFailed, match="failed, and this request was given up"):
        ask(engine)
    assert ask(engine).alternatives
    described = engine.describe().device
    assert described.startswith("cpu")
    assert f"for {Pretended.kind}" in described


def test_who_notices_a_lost_device_later_leaves_the_processor_alone(engine: LocalEngine) -> None:
    """Of requests side by side each fails for itself; what was loaded since then stays."""
    assert engine._model is not None
    model = engine._model.denoiser.model
    error = RuntimeError("CUDA error: unspecified launch failure")
    head = model._head

    def later(_: Tensor) -> Tensor:
        model._head = FailingOnce(error, head)
        with pytest.raises(DeviceFailed):
            ask(engine)
        assert ask(engine).alternatives
        raise error

    model._head = later
    with pytest.raises(DeviceFailed):
        ask(engine)
    assert engine.describe().loaded
    assert f"for {Pretended.kind}" in engine.describe().device


def test_a_bug_is_not_taken_for_the_device(engine: LocalEngine) -> None:
    """Errors of the code stay what they are."""
    assert engine._model is not None
    model = engine._model.denoiser.model
    model._head = FailingOnce(RuntimeError("shapes do not match"), model._head)
    with pytest.raises(RuntimeError, match="shapes"):
        ask(engine)


def test_the_doctor_names_the_device() -> None:
    """Which one, how it computes, what is free, what is fastest, and how that is known."""
    with pretended("cuda") as device:
        first, second = described(device, RuntimeSettings())
    assert first == "cuda:0 (a pretended card), bf16, captured steps, 16.0 GB free"
    assert second.startswith("fastest: device = cuda, precision = bf16 (torch ")
    with pretended("mps") as device:
        first, _ = described(device, RuntimeSettings(precision="fp16"))
        _, second = described(torch.device("cpu"), RuntimeSettings(device="cpu"))
    assert first == "mps:0, fp16, 16.0 GB free"
    assert second.startswith("fastest: device = mps, precision = bf16")
    first, second = described(torch.device("cpu"), RuntimeSettings(captured_steps="on"))
    assert "captured" not in first
    assert "torch finds no accelerator" in second
