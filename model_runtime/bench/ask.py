"""What a measurement asks for, and what it looks at in the answers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.asking import Clock
from model_runtime.protocol import MaskSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.protocol import InfillRequest

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
    clock = Clock()
    engine.read_ahead(lambda: False)
    return clock.seconds


def cached_percent(answers: Iterable[Answer]) -> float:
    """Return which share of the contexts' tokens came out of a cache."""
    usage = [answer.finished.usage for answer in answers]
    n_cached = sum(one.n_cached_tokens for one in usage)
    return 100 * n_cached / sum(one.n_context_tokens for one in usage)
