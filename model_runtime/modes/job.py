"""A request on its way through the local engine, and what all modes do: settle a canvas.

A mode asks a model for two things (`models.base`): to denoise a canvas, and how likely a text is
somewhere. What it is made of, no mode knows.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from model_runtime.decoding.denoise import Step, denoise
from model_runtime.modes import context as contexts
from model_runtime.modes.confidence import Confidence
from model_runtime.modes.cost import Cost
from model_runtime.modes.drafted import DraftCount
from model_runtime.modes.healing import healed
from model_runtime.modes.sizing import budget_of, fitted
from model_runtime.protocol import StepReport
from model_runtime.text.laid_out import Fill
from model_runtime.text.reconcile import reconciled
from model_runtime.text.said_again import within_function
from model_runtime.text.showing import silence, sure_part, up_to
from model_runtime.text.syntax import syntax_of
from model_runtime.text.trim import at_indentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from model_runtime.caches.base import Cache
    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.models.base import Judgement
    from model_runtime.modes.model import Model
    from model_runtime.modes.ranking import Total
    from model_runtime.protocol import InfillRequest, TokenScore
    from model_runtime.samplers.base import Sampler
    from model_runtime.text.laid_out import LaidOut

MARK = "░"
#: Tokens looked at, beside each of a text that is judged afterwards, for those that begin like it.
N_ALIKE = 8

AnySampler: TypeAlias = "Sampler[Any, Any]"
R = TypeVar("R")


@dataclass
class Job:
    """One request on its way through the engine."""

    request: InfillRequest
    listener: Listener
    cancel: CancelToken
    model: Model
    cache: Cache
    rng: torch.Generator
    sampler: AnySampler
    cost: Cost = field(default_factory=Cost)
    n_steps: int = 0
    #: What "score" found.
    scores: list[TokenScore] = field(default_factory=list)
    #: How likely the file is with some texts in its spans, as far as that was asked.
    judged: dict[tuple[str, ...], Total] = field(default_factory=dict)
    #: Whether to go on with a text whose tokens so far are so likely, in nats.
    goes_on: Callable[[float], bool] = lambda _: True

    def around(self, texts: Sequence[str], index: int) -> tuple[str, str]:
        """Return the file before and behind a span, the other spans as they stand in `texts`."""
        spans = self.request.spans
        pieces = [text + span.following for text, span in zip(texts, spans, strict=True)]
        before = self.request.prefix + "".join(pieces[:index])
        behind = spans[index].following + "".join(pieces[index + 1 :]) + self.request.suffix
        return before, behind

    def lay_out(self, texts: Sequence[str], index: int, *, text: str | None = None) -> LaidOut:
        """Lay a span out among the others; see `CanvasLayout.lay_out`."""
        prefix, suffix = self.around(texts, index)
        span = self.request.spans[index]
        return self.model.layout.lay_out(self.request, span, prefix, suffix, text=text)

    def settle(
        self, sampler: AnySampler, laid_out: LaidOut, texts: Sequence[str], index: int
    ) -> Fill:
        """Denoise a canvas and read it.

        Args:
            sampler: decides.
            laid_out: what to settle; its canvas is changed in place.
            texts: of all the spans, as they stand; not changed.
            index: of the span that is settled.
        """
        reader, denoiser, cost = self.model.layout.reader, self.model.denoiser, self.cost
        started = time.monotonic()
        context = laid_out.context
        cost.n_context_tokens += len(context) + laid_out.n_behind
        earlier, before = (cost.n_forwards, cost.n_rows), (self.cache.n_forwards, self.cache.n_rows)
        cost.n_cached_tokens += contexts.warm(
            self.request, self.model.layout.template, laid_out, denoiser, self.cache,
            self.cancel.check,
        )  # fmt: skip
        laid_out = healed(self, laid_out, is_one_line=self.request.spans[index].single_line)
        laid_out, sampler = fitted(self, laid_out, sampler)
        context = laid_out.context
        drafts = DraftCount(laid_out.canvas)
        confidence, least = self._confidence(laid_out, index), self.request.least_confidence
        if least and (ahead := confidence.ahead()) < least:
            # The forward that spelled the half token has shown that nothing sure will follow.
            cost.context_s += time.monotonic() - started
            return Fill("", "doubt", [], confidence=silence(ahead))
        first_draft: list[float] = []
        contexts.read(context, denoiser, self.cache, self.cancel.check)

        def on_step(step: Step) -> None:
            first_draft.append(time.monotonic())
            cost.n_forwards = earlier[0] + self.cache.n_forwards - before[0]
            cost.n_rows = earlier[1] + self.cache.n_rows - before[1]
            drafts.see(step.canvas)
            confidence.see(step)
            if self.request.stream:
                self._report(step, laid_out, texts, index)
            self.n_steps += 1

        denoise(
            denoiser,
            sampler,
            self.cache,
            laid_out.canvas,
            budget_of(laid_out, sampler),
            self.rng,
            check=self.cancel.check,
            on_step=on_step,
            is_closed=lambda: (
                reader.is_closed(laid_out)
                or not (least is None or confidence.reaches(least))
                or not self.goes_on(confidence.total)
            ),
        )
        cost.n_drafted += drafts.n_drafted
        cost.n_accepted += drafts.n_accepted
        ended = time.monotonic()
        draft_at = first_draft[0] if first_draft else ended
        cost.context_s += draft_at - started
        cost.denoise_s += ended - draft_at
        if not self.goes_on(confidence.total):
            return Fill("", "doubt", [])
        return self.read(laid_out, texts, index, confidence)

    def read(
        self,
        laid_out: LaidOut,
        texts: Sequence[str],
        index: int,
        confidence: Confidence | None = None,
    ) -> Fill:
        """Return what was settled as it belongs into the file: what is new there, and sure enough.

        Args:
            laid_out: settled.
            texts: of all the spans, as they stand.
            index: of the span that was settled.
            confidence: what is known of its tokens; None where nothing is yet.
        """
        confidence, least = (
            confidence or self._confidence(laid_out, index), self.request.least_confidence
        )  # fmt: skip
        fill = self.model.layout.reader.read(laid_out)
        if least is not None and fill.token_ids and not confidence.chances(len(fill.token_ids)):
            # Of this decoding rule's numbers none means what is asked here.
            confidence.judge(fill.token_ids, self._judged_in_place(laid_out, fill))
        self.cost.n_tokens += len(fill.token_ids)
        prefix, suffix = self.around(texts, index)
        span = self.request.spans[index]
        before, text = span.text, within_function(fill.text, prefix, span.enclosing)
        if text != before:
            syntax = syntax_of(self.request.language, self.request.path, prefix + suffix)
            text = reconciled(text, prefix, suffix, syntax, before)
        if before.strip():
            text = at_indentation(text, prefix)
        chances = confidence.chances(len(fill.token_ids))
        sure = confidence.stretches(fill.token_ids, text)
        shown = replace(fill, text=text, chances=chances, confidence=sure)
        return _sure(shown, self.request.least_confidence)

    def _judged_in_place(self, laid_out: LaidOut, fill: Fill) -> Judgement:
        return self.judge(laid_out.context, fill.token_ids, N_ALIKE, behind=laid_out.behind)

    def _confidence(self, laid_out: LaidOut, index: int) -> Confidence:
        span, layout = self.request.spans[index], self.model.layout
        return Confidence(
            laid_out,
            layout.template.tokenizer,
            self.model.calibration,
            is_one_line=span.single_line,
        )

    def settle_each(self, canvases: Sequence[LaidOut]) -> list[Fill]:
        """Settle canvases for the one span, each in place, side by side; see `settle`."""
        return self.each([partial(Job._settle_alone, laid_out=one) for one in canvases])

    def _settle_alone(self, laid_out: LaidOut) -> Fill:
        return self.settle(self.sampler, laid_out, [""], 0)

    def each(self, works: Sequence[Callable[[Job], R]]) -> list[R]:
        """Do pieces of work side by side, unseen, each with a job of its own."""
        started = time.monotonic()
        unseen = msgspec.structs.replace(self.request, stream=False)
        apart = [replace(self, request=unseen, cache=self.own_cache(), cost=Cost()) for _ in works]
        found = self.model.denoiser.each(
            [partial(work, job) for work, job in zip(works, apart, strict=True)]
        )
        for job in apart:
            self.cost.add_counts(job.cost)
        self.cost.denoise_s += time.monotonic() - started
        return found

    def own_cache(self) -> Cache:
        """Return a cache for work beside this."""
        return contexts.own_copy(self.cache, self.model.denoiser)

    def judge(
        self,
        context: list[int],
        token_ids: Sequence[int],
        n_best: int = 1,
        *,
        behind: Sequence[int] = (),
    ) -> Judgement:
        """Ask about tokens behind a context, and before another; see `Denoiser.judge_several`."""
        return self.judge_several(context, [token_ids], n_best, behind=behind)[0]

    def judge_several(
        self,
        context: list[int],
        texts: Sequence[Sequence[int]],
        n_best: int = 1,
        *,
        behind: Sequence[int] = (),
    ) -> list[Judgement]:
        """Ask about texts behind a context, and before another; see `Denoiser.judge_several`."""
        with self.counted():
            return self.model.denoiser.judge_several(
                context, texts, self.cache, n_best, self.cancel.check, behind=behind
            )

    def judge_each(self, laid_out: LaidOut, n_best: int = 1) -> Judgement:
        """Ask about each token of the text that stands on a canvas, given all the others.

        Its end, where it has one there, is no token of the text to a family that sees it behind.
        """
        with self.counted():
            return self.model.denoiser.judge_each(
                laid_out.context, laid_out.text_ids, self.cache, n_best, self.cancel.check,
                behind=laid_out.behind,
            )  # fmt: skip

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is asked of the model inside of the context."""
        started = time.monotonic()
        n_forwards, n_rows = self.cache.n_forwards, self.cache.n_rows
        yield
        self.cost.n_forwards += self.cache.n_forwards - n_forwards
        self.cost.n_rows += self.cache.n_rows - n_rows
        self.cost.denoise_s += time.monotonic() - started

    def _report(self, step: Step, laid_out: LaidOut, texts: Sequence[str], index: int) -> None:
        reader = self.model.layout.reader
        # A span that nothing is known of yet is a mask.
        drafts, committed = [text or MARK for text in texts], list(texts)
        drafts[index] = reader.draft(laid_out, MARK)
        committed[index] = reader.committed(laid_out)
        self.listener.step(
            StepReport(
                id=self.request.id,
                step_index=self.n_steps,
                n_forwards=self.cost.n_forwards,
                n_committed=int(step.canvas.committed[laid_out.span].sum()),
                drafts=tuple(drafts),
                committed=tuple(committed),
                mark=MARK,
            )
        )


def _sure(fill: Fill, least: float | None) -> Fill:
    """Return a fill up to where it is no longer as sure as is wanted."""
    shown = sure_part(fill.text, fill.confidence, least or 0)
    if shown == fill.text:
        return fill
    sure = up_to(fill.confidence, len(shown)) or silence(fill.confidence[0].confidence)
    return replace(fill, text=shown, finish="doubt", confidence=sure)
