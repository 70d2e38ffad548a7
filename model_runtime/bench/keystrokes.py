"""Typing: the same file, its prefix one character longer each time, as ghost text asks."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from model_runtime.bench.ask import cached_percent, read_on, request_for
from model_runtime.bench.base import Table, at_each, tail
from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.typist import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.bench.base import Row, Setup
    from model_runtime.bench.gaps import Cutter
    from model_runtime.engines.base import Engine
    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask

#: Tokens of a gap, all in one line: what is typed is its beginning.
LENGTH = 16
N_TYPED = 10


@dataclass(frozen=True)
class _Typed:
    """One gap, asked for as it was opened, and at each keystroke."""

    opened: Answer
    typed: list[Answer]
    #: Seconds that reading the whole context took in between.
    read_s: float


def measure(setup: Setup) -> list[Table]:
    """Type into gaps behind each context."""
    # As an editor has it: of the longest files a part is cut off.
    engine, cutter = setup.engine(), setup.cutter()
    rows = []
    _type(engine, cutter.behind(next(typable(cutter)), setup.contexts[0]))  # warms up
    for n_context in setup.contexts:
        gaps = islice(typable(cutter), at_each(n_context, setup.repeat))
        measured = [_type(engine, cutter.behind(gap, n_context)) for gap in gaps]
        rows.append(_row(n_context, measured))
    return [
        Table(
            title="Typing",
            says=(
                f"One-line fills of one document, the prefix one to {N_TYPED} characters longer: "
                "milliseconds until the first draft can be shown and until the final text. "
                "Opened: the request before, its context not in the cache. Of a file that is "
                "longer than `max_context_tokens` a part is shown to the model, when it was opened "
                "`glance_tokens` of it; the rest is read before typing goes on, which took the "
                "seconds in the last column."
            ),
            rows=tuple(rows),
        )
    ]


def typable(cutter: Cutter) -> Iterator[EvalTask]:
    """Yield one-line gaps that are long enough to type into."""
    return (gap for gap in cutter.cut(LENGTH) if len(gap.reference) > N_TYPED)


def _type(engine: LocalEngine, gap: EvalTask) -> _Typed:
    engine.forget()
    opened = _ask(engine, gap)
    read_s = read_on(engine)
    asked = [_ask(engine, typed(gap, n_typed)) for n_typed in range(1, 1 + N_TYPED)]
    return _Typed(opened, asked, read_s)


def _ask(engine: Engine, gap: EvalTask) -> Answer:
    fields = {"lane": "inline", "may_glance": True, "stream": True}
    return ask(engine, request_for(gap, document="typing", max_tokens=LENGTH, **fields))


def _row(n_context: int, measured: list[_Typed]) -> Row:
    typed = [timed for one in measured for timed in one.typed]
    first = [timed.first_s * 1e3 for timed in typed]
    final = [timed.seconds * 1e3 for timed in typed]
    return {
        "tokens of context": n_context,
        "keystrokes": len(typed),
        "first draft ms": statistics.median(first),
        "first draft ms, 95 %": tail(first),
        "final text ms": statistics.median(final),
        "final text ms, 95 %": tail(final),
        "tokens filled": statistics.median(timed.n_tokens for timed in typed),
        "context cached %": cached_percent(typed),
        "opened ms": statistics.median(one.opened.seconds * 1e3 for one in measured),
        "read s": statistics.median(one.read_s for one in measured),
    }
