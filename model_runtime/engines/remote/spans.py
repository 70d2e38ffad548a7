"""Engines that fill one hole at a time: a request's spans in order, its alternatives in turn."""

from __future__ import annotations

import secrets
import time
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_runtime.engines.remote.engine import RemoteEngine
from model_runtime.engines.remote.prompts import Hole
from model_runtime.protocol import Alternative, Finished, StepReport, Usage
from model_runtime.text.reconcile import as_suggested

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.engines.base import Listener
    from model_runtime.engines.remote.call import Call
    from model_runtime.protocol import Finish, InfillRequest, MaskSpan

    OnText = Callable[[str], None]

#: Tokens of a fill whose request has no limit.
MAX_TOKENS = 256
#: For alternatives after the first one.
ALTERNATIVE_TEMPERATURE = 0.8
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Answer:
    """A span's fill."""

    text: str
    finish: Finish = "closed"
    n_context_tokens: int = 0
    n_cached_tokens: int = 0
    n_tokens: int = 0


@dataclass
class Job:
    """One request on its way."""

    request: InfillRequest
    listener: Listener
    seed: int
    n_calls: int = 0
    answers: list[Answer] = field(default_factory=list)

    def usage(self, seconds: float) -> Usage:
        """Return what it has cost."""
        return Usage(
            n_context_tokens=sum(answer.n_context_tokens for answer in self.answers),
            n_cached_tokens=sum(answer.n_cached_tokens for answer in self.answers),
            n_tokens=sum(answer.n_tokens for answer in self.answers),
            n_forwards=self.n_calls,
            denoise_s=seconds,
        )


class SpanwiseEngine(RemoteEngine):
    """An engine that knows how to have one hole filled."""

    @abstractmethod
    async def ask(self, call: Call, request: InfillRequest, hole: Hole, on_text: OnText) -> Answer:
        """Have one span filled.

        Args:
            call: how to reach the server.
            request: what the span is of.
            hole: the span.
            on_text: to be told the text so far, from its start, as it comes.

        Raises:
            RemoteFailed: says what went wrong.
        """

    async def fill(self, call: Call, request: InfillRequest, listener: Listener) -> Finished:
        """See `RemoteEngine.fill`."""
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        job = Job(request, listener, seed)
        started = time.monotonic()
        alternatives: list[Alternative] = []
        for index in range(request.n_alternatives):
            alternative = await self._alternative(call, job, index)
            if all(alternative.texts != other.texts for other in alternatives):
                alternatives.append(alternative)
        return Finished(
            id=request.id,
            alternatives=tuple(alternatives),
            model=self._model or self.name,
            sampler=self.name,
            seed=seed,
            usage=job.usage(time.monotonic() - started),
        )

    async def _alternative(self, call: Call, job: Job, index: int) -> Alternative:
        """Fill the spans one after another, each seeing the fills before it."""
        spans = job.request.spans
        texts = [span.text for span in spans]
        finishes: set[Finish] = set()
        for i, span in enumerate(spans):
            pieces = [text + span.following for text, span in zip(texts, spans, strict=True)]
            hole = Hole(
                path=job.request.path,
                language=job.request.language,
                prefix=job.request.prefix + "".join(pieces[:i]),
                suffix=span.following + "".join(pieces[i + 1 :]) + job.request.suffix,
                text=span.text,
                instruction=job.request.instruction,
                context=job.request.context,
                max_tokens=span.max_tokens or MAX_TOKENS,
                single_line=span.single_line,
                temperature=ALTERNATIVE_TEMPERATURE if index else 0.0,
                seed=(job.seed + index) % MAX_SEED,
            )

            def on_text(text: str, i: int = i, span: MaskSpan = span) -> None:
                texts[i] = text.partition("\n")[0] if span.single_line else text
                job.listener.step(_report(job, texts, i))

            job.n_calls += 1
            answer = await self.ask(call, job.request, hole, on_text)
            job.answers.append(answer)
            texts[i] = answer.text
            texts[i] = as_suggested(job.request, texts)[i]
            finishes.add(answer.finish)
        return Alternative(
            texts=tuple(texts), finish="length" if "length" in finishes else "closed"
        )


def _report(job: Job, texts: list[str], index: int) -> StepReport:
    settled = [*texts[: index + 1], *("" for _ in texts[index + 1 :])]
    return StepReport(
        id=job.request.id,
        step_index=job.n_calls - 1,
        n_forwards=job.n_calls,
        # A remote engine tells text, not tokens, before it is done.
        n_committed=sum(len(text.split()) for text in settled),
        drafts=tuple(texts),
        committed=tuple(settled),
    )
