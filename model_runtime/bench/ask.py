"""Asking an engine, and looking at the clock."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_runtime.engines.loading import load_default
from model_runtime.evaluation.run import Unstoppable
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from model_runtime.bench.gaps import Gap
    from model_runtime.engines.base import Engine
    from model_runtime.protocol import Finished, Lane, StepReport
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.tokenizer import CodeTokenizer

_numbers = itertools.count()


@dataclass(frozen=True)
class Timed:
    """An answer, and when it came."""

    finished: Finished
    #: Seconds until the first draft could be shown, and until the answer.
    first_s: float
    seconds: float

    @property
    def text(self) -> str:
        """The fill."""
        return self.finished.alternatives[0].texts[0]

    @property
    def n_tokens(self) -> int:
        """Tokens of the fill, at least one."""
        return max(1, self.finished.usage.n_tokens)


class _Watch:
    """A listener that notes when the first draft came."""

    def __init__(self) -> None:
        self.first_at: float | None = None

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Take no notice."""

    def step(self, report: StepReport) -> None:
        """Look at the clock, the first time."""
        del report
        if self.first_at is None:
            self.first_at = time.perf_counter()


def request_for(
    gap: Gap,
    *,
    document: str,
    max_tokens: int,
    sampler: str = "",
    params: dict[str, Any] | None = None,
    lane: Lane = "edit",
    may_glance: bool = False,
    stream: bool = False,
) -> InfillRequest:
    """Return the request of an editor that has the gap open."""
    return InfillRequest(
        id=f"bench-{next(_numbers)}",
        path=gap.path,
        language=gap.language,
        document=document,
        prefix=gap.prefix,
        suffix=gap.suffix,
        spans=(MaskSpan(single_line=gap.single_line, max_tokens=max_tokens),),
        sampler=sampler,
        params=params or {},
        lane=lane,
        may_glance=may_glance,
        stream=stream,
        seed=0,
    )


def ask(engine: Engine, request: InfillRequest) -> Timed:
    """Send a request and wait for its end."""
    watch = _Watch()
    started = time.perf_counter()
    finished = engine.infill(request, watch, Unstoppable())
    ended = time.perf_counter()
    first_at = ended if watch.first_at is None else watch.first_at
    return Timed(finished, first_at - started, ended - started)


def tokenizer_of(settings: RuntimeSettings) -> CodeTokenizer:
    """Return the default model's tokenizer; the model is let go."""
    return load_default(settings, lambda _text, _share: None).layout.template.tokenizer
