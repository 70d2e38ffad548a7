"""The local engine: a model on this machine, and what it keeps from request to request."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import torch

from model_runtime.decoding.denoise import check_pairing
from model_runtime.devices import told_failures
from model_runtime.engines.base import EngineDescription
from model_runtime.engines.contexts import ContextKey, KeptContexts, context_key
from model_runtime.engines.loading import load_default
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.side_by_side import SideBySide
from model_runtime.modes.glance import glancing, is_worth_it, read
from model_runtime.modes.infill import holes, infill
from model_runtime.modes.job import Job
from model_runtime.modes.judging import NextEditJob
from model_runtime.modes.limits import MAX_SEED, check_request
from model_runtime.modes.next_edit import next_edits
from model_runtime.modes.offered import check_offered
from model_runtime.modes.repair import repair
from model_runtime.modes.rewrite import rewrite
from model_runtime.modes.score import unchanged
from model_runtime.protocol import Finished, NextEdits, Usage
from model_runtime.samplers import SAMPLERS
from model_runtime.samplers.hybrid import Hybrid
from model_runtime.text.calibration import Calibration
from model_runtime.text.explained import HERE, as_laid_out, explained
from model_runtime.text.markers import holds_marker, unmarked
from model_runtime.text.one_line import as_meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.models.base import Denoiser
    from model_runtime.modes.model import Model
    from model_runtime.protocol import Alternative, InfillRequest, NextEditRequest, Task
    from model_runtime.samplers.base import Sampler
    from model_runtime.settings import RuntimeSettings

DEFAULT_SAMPLER = "hybrid"
#: What each mode does with the spans; best alternative first.
MODES: Mapping[Task, Callable[[Job], list[Alternative]]] = {
    "infill": infill,
    "rewrite": rewrite,
    "repair": repair,
    "holes": holes,
    "score": unchanged,
}


class LocalEngine:
    """Fills spans with the default model.

    Args:
        settings: model, device, threads, limits.
        calibrated: whether confidence is what one would bet on; else the base's own probability.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: RuntimeSettings, *, calibrated: bool = True) -> None:
        self._settings = settings
        self._calibrated = calibrated
        self._model: Model | None = None
        self._contexts = KeptContexts()
        self._side_by_side = SideBySide()
        #: Whose context was only glanced at.
        self._unread: Job | None = None
        #: Why the processor computes though there is an accelerator; empty while it does not.
        self._lost = ""

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        device = self._model.device_text if self._model else ""
        device += f", for {self._lost} failed" if device and self._lost else ""
        return EngineDescription(self._settings.model, device, loaded=self._model is not None)

    def close(self) -> None:
        """See `Engine.close`."""
        self._model = None
        self.forget()

    def _lose_device(self, model: Model) -> None:
        """Let go of a device that failed: a process can't have it back."""
        if self._model is model:
            self._lost, self._model = str(model.denoiser.device), None
            self._settings = msgspec.structs.replace(self._settings, device="cpu", precision="auto")
        # Else a request beside this one noticed it first; what this one held was there, too.
        self.forget()

    def forget(self) -> None:
        """Drop every encoded context: the next request pays for its own."""
        self._contexts.clear()
        self._unread = None

    @torch.inference_mode()
    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Fill the request's spans; see `Engine.infill`."""
        check_request(request)
        request = unmarked(as_meant(_opened(request)))
        # Before the model is loaded: what can't be is told at once.
        self.check(request)
        model = self._load(listener, cancel)
        check_offered(request, model.denoiser)
        sampler = self.sampler_for(request, model)
        with told_failures(model.denoiser.device, self.forget, partial(self._lose_device, model)):
            return self._infill(request, listener, cancel, model, sampler)

    def _infill(
        self,
        request: InfillRequest,
        listener: Listener,
        cancel: CancelToken,
        model: Model,
        sampler: Sampler[Any, Any],
    ) -> Finished:
        if request.explain:
            return explained(request, self._settings.model, _shown(request, model))
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        rng = torch.Generator().manual_seed(seed)
        key, n_glance = context_key(request, model), self._settings.glance_tokens
        if self._unread is not None and context_key(self._unread.request, model) == key:
            self._unread = None
        with self._contexts.lend(key, model) as cache:
            check_pairing(model.denoiser, sampler, cache)
            if request.lane != "inline":
                cache.drop_inexact()
            job = Job(request, listener, cancel, model, cache, rng, sampler)
            if not is_worth_it(job, n_glance):
                return self._fill(job, seed)
        self._unread = job
        with self._contexts.lend(key._replace(is_glance=True), model) as cache:
            return self._fill(glancing(replace(job, cache=cache), n_glance), seed)

    @torch.inference_mode()
    def next_edits(
        self, request: NextEditRequest, listener: Listener, cancel: CancelToken
    ) -> NextEdits:
        """Judge what may be edited next; see `NextEditEngine.next_edits`."""
        model = self._load(listener, cancel)
        key = ContextKey(request.document, "fim", others="", is_next=True)
        failures = told_failures(
            model.denoiser.device, self.forget, partial(self._lose_device, model)
        )
        with failures, self._contexts.lend(key, model) as cache:
            job = NextEditJob(request, model, cache, cancel)
            proposals = tuple(next_edits(job))
        return NextEdits(
            id=request.id,
            proposals=proposals,
            model=self._settings.model,
            usage=Usage(
                n_context_tokens=job.n_read,
                n_tokens=job.n_tokens,
                n_forwards=job.n_forwards,
                denoise_s=job.seconds,
            ),
        )

    @torch.inference_mode()
    def read_ahead(self, must_stop: Callable[[], bool]) -> None:
        """See `ReadingEngine.read_ahead`."""
        # What fails is not tried again.
        job, self._unread = self._unread, None
        if job is None:
            return
        with self._contexts.lend(context_key(job.request, job.model), job.model) as cache:
            try:
                read(replace(job, cache=cache, cancel=_Until(must_stop)))
            except _SomebodyAsks:
                self._unread = job

    def run_side_by_side(self, take: Callable[[], Callable[[], None] | None]) -> None:
        """See `SideBySideEngine.run_side_by_side`."""
        self._side_by_side.run(take)

    def _fill(self, job: Job, seed: int) -> Finished:
        return Finished(
            id=job.request.id,
            alternatives=tuple(MODES[job.request.mode](job)),
            model=self._settings.model,
            sampler=job.sampler.name,
            seed=seed,
            usage=Usage(**vars(job.cost)),
            scores=tuple(job.scores),
        )

    def check(self, request: InfillRequest) -> None:
        """Refuse what no model of this engine could do, before one is loaded.

        Raises:
            UnknownName: no such sampler.
            BadRequest: it has no such parameters.
        """
        self._sampler(request, DEFAULT_SAMPLER, {})

    def sampler_for(self, request: InfillRequest, model: Model) -> Sampler[Any, Any]:
        """Return the rule that settles a request's canvases."""
        sampler = self._sampler(request, DEFAULT_SAMPLER, {})
        return sampler if _has_adapter(model.denoiser) else _without_adapter(sampler)

    def load(self, listener: Listener, cancel: CancelToken) -> Model:
        """Bring the model up; asked once."""
        model = load_default(self._settings, listener.notice, cancel.check)
        return model if self._calibrated else replace(model, calibration=Calibration())

    def _sampler(
        self, request: InfillRequest, usual: str, params: Mapping[str, Any]
    ) -> Sampler[Any, Any]:
        """Return the rule that is asked for, else the usual one with its usual parameters."""
        name = request.sampler or self._settings.sampler
        rule = SAMPLERS.load(name or usual)
        usual_params = {
            key: value for key, value in params.items()
            if key in rule.params_type.__struct_fields__
        }  # fmt: skip
        return rule.from_mapping(usual_params | request.params)

    def _load(self, listener: Listener, cancel: CancelToken) -> Model:
        if self._model is None:
            self._model = self.load(listener, cancel)
        if isinstance(self._model.denoiser, CanvasDenoiser):
            self._model.denoiser.model.side_by_side = self._side_by_side
        return self._model


class _SomebodyAsks(Exception):
    """There is something better to do than to read ahead."""


class _Until:
    """A token that stops what nobody waits for as soon as somebody asks."""

    def __init__(self, must_stop: Callable[[], bool]) -> None:
        self._must_stop = must_stop

    def check(self) -> None:
        """See `CancelToken.check`."""
        if self._must_stop():
            raise _SomebodyAsks


def _has_adapter(denoiser: Denoiser) -> bool:
    return not isinstance(denoiser, CanvasDenoiser) or denoiser.model.adapter is not None


def _without_adapter(sampler: Sampler[Any, Any]) -> Sampler[Any, Any]:
    """Return the sampler for a base whose canvas rows were not trained: they draft nothing."""
    if not isinstance(sampler, Hybrid):
        return sampler
    return Hybrid(msgspec.structs.replace(sampler.params, from_canvas=False))


def _shown(request: InfillRequest, model: Model) -> str:
    """Return the prompts of a request's spans, the other spans left empty in each."""
    shown, texts = [], [span.following for span in request.spans]
    for index, span in enumerate(request.spans):
        prefix = request.prefix + "".join(texts[:index])
        suffix = "".join(texts[index:]) + request.suffix
        laid_out = model.layout.lay_out(request, span, prefix, suffix)
        tokenizer = model.layout.template.tokenizer
        shown.append(
            as_laid_out(laid_out.context, tokenizer)
            + HERE
            + as_laid_out(laid_out.behind, tokenizer)
        )
    return "\n\n".join(shown)


def _opened(request: InfillRequest) -> InfillRequest:
    """Return the request, an infill where code is missing: there is nothing to start from."""
    is_open = any(holds_marker(span.text, request.hole_marker) for span in request.spans)
    if is_open and request.mode in ("rewrite", "repair"):
        return msgspec.structs.replace(request, mode="infill")
    return request
