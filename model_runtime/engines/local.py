"""The local engine: the default model on this machine's own processor."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import torch

from model_runtime.decoding.denoise import Budget, Step, check_pairing, denoise
from model_runtime.engines.base import EngineDescription
from model_runtime.engines.loading import LoadedModel, load_default
from model_runtime.errors import BadRequest
from model_runtime.models.canvas import PREFILL_ROWS
from model_runtime.protocol import Alternative, Finished, StepReport, Usage
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from model_runtime.caches.causal import CausalCache
    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.protocol import InfillRequest
    from model_runtime.samplers.base import Sampler
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.layout import Fill, LaidOut

DEFAULT_SAMPLER = "hybrid"
MARK = "░"
#: Documents whose encoded context is kept: what a few editors have open at a time.
N_DOCUMENTS = 4
#: Positions settled together by rules that look at a whole block at once.
BLOCK_LENGTH = 16
#: For alternatives after the first one, which is the most probable text.
ALTERNATIVE_TEMPERATURE = 0.8
MAX_ALTERNATIVES = 16
MAX_SEED = 2**63 - 1


@dataclass
class Cost:
    """What a request has cost so far."""

    n_context_tokens: int = 0
    n_cached_tokens: int = 0
    n_tokens: int = 0
    n_forwards: int = 0
    context_s: float = 0.0
    denoise_s: float = 0.0


@dataclass
class Job:
    """One request on its way through the engine."""

    request: InfillRequest
    listener: Listener
    cancel: CancelToken
    model: LoadedModel
    cache: CausalCache
    rng: torch.Generator
    cost: Cost = field(default_factory=Cost)


class LocalEngine:
    """Fills spans with the default model.

    Args:
        settings: model, device, threads, limits.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._model: LoadedModel | None = None
        self._caches: OrderedDict[str, CausalCache] = OrderedDict()

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        device = self._model.device_text if self._model else ""
        return EngineDescription(self._settings.model, device, loaded=self._model is not None)

    def close(self) -> None:
        """See `Engine.close`."""
        self._model = None
        self._caches.clear()

    def forget(self) -> None:
        """Drop every document's encoded context: the next request pays for its own."""
        self._caches.clear()

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Fill the request's spans; see `Engine.infill`."""
        _check(request)
        sampler = self._sampler(request)
        model = self._load(listener, cancel)
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        rng = torch.Generator().manual_seed(seed)
        job = Job(request, listener, cancel, model, self._cache(request.document, model), rng)
        check_pairing(model.denoiser, sampler, job.cache)
        alternatives: list[Alternative] = []
        for index in range(request.n_alternatives):
            chosen = sampler if index == 0 else _warmer(sampler)
            alternative = self._fill_all(job, chosen, scored=request.n_alternatives > 1)
            if all(alternative.texts != other.texts for other in alternatives):
                alternatives.append(alternative)
        alternatives.sort(key=lambda alternative: alternative.score or 0.0, reverse=True)
        return Finished(
            id=request.id,
            alternatives=tuple(alternatives),
            model=self._settings.model,
            sampler=sampler.name,
            seed=seed,
            usage=Usage(**vars(job.cost)),
        )

    def _fill_all(self, job: Job, sampler: Sampler[Any, Any], *, scored: bool) -> Alternative:
        """Fill the spans one after another, each seeing the fills before it."""
        request = job.request
        texts = [span.text for span in request.spans]
        fills: list[Fill] = []
        scores: list[float] = []
        for index, span in enumerate(request.spans):
            prefix, suffix = _around(request, texts, index)
            laid_out = job.model.layout.lay_out(request, span, prefix, suffix)
            fill = self._fill(job, sampler, laid_out, texts, index)
            texts[index] = fill.text
            fills.append(fill)
            if scored:
                scores.append(self._score(job, laid_out, fill))
        closed = all(fill.finish == "closed" for fill in fills)
        return Alternative(
            texts=tuple(texts),
            score=sum(scores) / len(scores) if scores else None,
            finish="closed" if closed else "length",
        )

    def _fill(
        self,
        job: Job,
        sampler: Sampler[Any, Any],
        laid_out: LaidOut,
        texts: list[str],
        index: int,
    ) -> Fill:
        layout, denoiser, cost = job.model.layout, job.model.denoiser, job.cost
        started = time.monotonic()
        context = laid_out.canvas.token_ids[: laid_out.span_start].tolist()
        cost.n_context_tokens += len(context)
        cost.n_cached_tokens += job.cache.n_common(context)
        n_earlier, n_before = cost.n_forwards, denoiser.model.n_forwards
        first_draft: list[float] = []
        # The last stretch of the context is encoded in the first denoising step's own forward.
        denoiser.encode(context[:-PREFILL_ROWS], job.cache, job.cancel.check)

        def on_step(step: Step) -> None:
            first_draft.append(time.monotonic())
            cost.n_forwards = n_earlier + denoiser.model.n_forwards - n_before
            if job.request.stream:
                drafts, committed = list(texts), list(texts)
                drafts[index] = layout.draft(laid_out, MARK)
                committed[index] = layout.committed(laid_out)
                job.listener.step(
                    StepReport(
                        id=job.request.id,
                        step_index=step.step_index,
                        n_forwards=cost.n_forwards,
                        n_committed=int(step.canvas.committed.sum()) - laid_out.span_start,
                        drafts=tuple(drafts),
                        committed=tuple(committed),
                        mark=MARK,
                    )
                )

        denoise(
            denoiser,
            sampler,
            job.cache,
            laid_out.canvas,
            Budget(block_length=None if sampler.ordered else BLOCK_LENGTH),
            job.rng,
            check=job.cancel.check,
            on_step=on_step,
            is_closed=lambda: layout.is_closed(laid_out),
        )
        fill = layout.read(laid_out)
        cost.n_tokens += len(fill.token_ids)
        cost.context_s += first_draft[0] - started
        cost.denoise_s += time.monotonic() - first_draft[0]
        return fill

    def _score(self, job: Job, laid_out: LaidOut, fill: Fill) -> float:
        """Return the mean log-probability a token, by the base given all to its left."""
        n_before = job.model.denoiser.model.n_forwards
        context = laid_out.canvas.token_ids[: laid_out.span_start].tolist()
        score = job.model.denoiser.score(context, fill.token_ids, job.cache)
        job.cost.n_forwards += job.model.denoiser.model.n_forwards - n_before
        return score

    def _sampler(self, request: InfillRequest) -> Sampler[Any, Any]:
        name = request.sampler or self._settings.sampler or DEFAULT_SAMPLER
        return SAMPLERS.load(name).from_mapping(request.params)

    def _load(self, listener: Listener, cancel: CancelToken) -> LoadedModel:
        if self._model is None:
            self._model = load_default(self._settings, listener.notice, cancel.check)
        return self._model

    def _cache(self, document: str, model: LoadedModel) -> CausalCache:
        """Return the document's cache: what its last request encoded need not be encoded again."""
        cache = self._caches.pop(document, None) or model.denoiser.new_cache()
        self._caches[document] = cache
        if len(self._caches) > N_DOCUMENTS:
            self._caches.popitem(last=False)
        return cache


def _check(request: InfillRequest) -> None:
    """Refuse what this engine can't do.

    Raises:
        BadRequest: says what and why.
    """
    if request.mode not in ("infill", "holes"):
        raise BadRequest(f"the local engine can't {request.mode} yet; it can infill and fill holes")
    if not request.spans:
        raise BadRequest("the request has no span to fill")
    if not 1 <= request.n_alternatives <= MAX_ALTERNATIVES:
        raise BadRequest(f"n_alternatives is {request.n_alternatives}; allowed: 1 to 16")
    if request.seed is not None and not 0 <= request.seed <= MAX_SEED:
        raise BadRequest(f"seed is {request.seed}; allowed: 0 to 2**63 - 1")
    for span in request.spans:
        if span.max_tokens is not None and span.max_tokens < 1:
            raise BadRequest(f"max_tokens is {span.max_tokens}; it must be at least 1")


def _around(request: InfillRequest, texts: list[str], index: int) -> tuple[str, str]:
    """Return the file before and behind a span, the other spans as they stand in `texts`."""
    pieces = [text + span.following for text, span in zip(texts, request.spans, strict=True)]
    before = request.prefix + "".join(pieces[:index])
    behind = request.spans[index].following + "".join(pieces[index + 1 :]) + request.suffix
    return before, behind


def _warmer(sampler: Sampler[Any, Any]) -> Sampler[Any, Any]:
    """Return the sampler at a temperature, where it has one and was asked for none."""
    if getattr(sampler.params, "temperature", None) != 0:
        return sampler
    warmer = msgspec.structs.replace(sampler.params, temperature=ALTERNATIVE_TEMPERATURE)
    return type(sampler)(warmer)
