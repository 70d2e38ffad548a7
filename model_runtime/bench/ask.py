"""What a measurement asks for, and the tokenizer that it counts with."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.engines.loading import load_default
from model_runtime.protocol import MaskSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.protocol import InfillRequest
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.tokenizer import CodeTokenizer

_numbers = itertools.count()


def request_for(gap: EvalTask, *, document: str, max_tokens: int, **fields: Any) -> InfillRequest:
    """Return the request of an editor that has the gap open.

    Args:
        gap: what is taken out of a file.
        document: whose context may be in a cache.
        max_tokens: of the fill.
        fields: others of the request.
    """
    return msgspec.structs.replace(
        gap.request(),
        id=f"bench-{next(_numbers)}",
        document=document,
        spans=(MaskSpan(single_line=gap.single_line, max_tokens=max_tokens),),
        **fields,
    )


def read_on(engine: LocalEngine) -> float:
    """Have an engine read what was only glanced at; return the seconds that took."""
    started = time.perf_counter()
    engine.read_ahead(lambda: False)
    return time.perf_counter() - started


def cached_percent(answers: Iterable[Answer]) -> float:
    """Return which share of the contexts' tokens came out of a cache."""
    usage = [answer.finished.usage for answer in answers]
    n_cached = sum(one.n_cached_tokens for one in usage)
    return 100 * n_cached / sum(one.n_context_tokens for one in usage)


def tokenizer_of(settings: RuntimeSettings) -> CodeTokenizer:
    """Return the default model's tokenizer; the model is let go."""
    return load_default(settings, lambda _text, _share: None).layout.template.tokenizer
