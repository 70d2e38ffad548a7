"""Fills from end to end: by length, by context, by decoder, the context new and in the cache."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from model_runtime.bench.ask import request_for
from model_runtime.bench.base import Table, at_each, median_of, rotated
from model_runtime.bench.decoders import BASE, DECODERS, HYBRID
from model_runtime.evaluation.asking import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.bench.base import Row, Setup
    from model_runtime.bench.decoders import BenchEngine
    from model_runtime.bench.gaps import Cutter
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask

LENGTHS = (8, 16, 32, 64)
#: A gap counts as one of a length if the base fills it with at least this share of it.
MIN_SHARE = 0.75
#: Gaps looked at for each one that is kept, at most.
MAX_TRIES = 4
#: From here on only these have the context new: it is encoded the same way for all of them, and
#: takes long.
LONG = 4000
NEW_WHEN_LONG = frozenset({BASE, HYBRID})
#: The document all gaps are in, one after another.
DOCUMENT = "bench"


@dataclass(frozen=True)
class _Turn:
    """One gap, filled by one decoder, its context not in the cache (if measured) and in it."""

    new: Answer | None
    again: Answer


def measure(setup: Setup, lengths: Sequence[int] = LENGTHS, long: int = LONG) -> list[Table]:
    """Fill gaps of each length, in tokens, behind each context, the decoders taking turns."""
    cutter, engine = setup.with_room().cutter(), setup.with_room().engine()
    contexts, repeat = setup.contexts, setup.repeat
    rows: list[Row] = []
    for length in lengths:
        gaps = _suiting(engine, cutter, length, contexts[0], at_each(contexts[0], repeat))
        for n_context in contexts:
            chosen = gaps[: at_each(n_context, repeat)]
            turns: dict[str, list[_Turn]] = {name: [] for name in DECODERS}
            for index, gap in enumerate(chosen):
                for name in rotated([*DECODERS], index):
                    is_new = n_context < long or name in NEW_WHEN_LONG
                    laid_out = cutter.behind(gap, n_context)
                    turns[name].append(_take(engine, laid_out, name, length, is_new=is_new))
            rows += [_row(n_context, length, name, turns) for name in DECODERS]
    rows.sort(key=lambda row: contexts.index(int(row["tokens of context"] or 0)))
    return [
        Table(
            title="Fills from end to end",
            says=(
                "Gaps in held-out code that the base fills with about so many tokens, and at most "
                "so many allowed. New: no part of the context is in the cache; again: all of it "
                "is. Ratios are the times as fast as one token at a time of the same base in the "
                "same engine, by seconds a token and in the same turn; *hybrid* and *one token at "
                "a time* say the same text."
            ),
            rows=tuple(rows),
        )
    ]


def _suiting(
    engine: BenchEngine, cutter: Cutter, length: int, n_context: int, n_gaps: int
) -> list[EvalTask]:
    """Return gaps that the base itself fills with nearly `length` tokens; warms up, too."""
    found: list[tuple[int, EvalTask]] = []
    n_long = 0
    for gap in islice(cutter.cut(length), MAX_TRIES * n_gaps):
        n_tokens = _fill(engine, cutter.behind(gap, n_context), HYBRID, length).n_tokens
        found.append((n_tokens, gap))
        n_long += n_tokens >= MIN_SHARE * length
        if n_long == n_gaps:
            break
    # Where too few suit, those that come nearest.
    found.sort(key=lambda pair: -pair[0])
    return [gap for _, gap in found[:n_gaps]]


def _take(engine: BenchEngine, gap: EvalTask, name: str, length: int, *, is_new: bool) -> _Turn:
    if is_new:
        engine.forget()
    # Else whoever had this turn before has encoded it, or this one does, unmeasured.
    first = _fill(engine, gap, name if is_new else HYBRID, length)
    return _Turn(first if is_new else None, _fill(engine, gap, name, length))


def _fill(engine: BenchEngine, gap: EvalTask, name: str, length: int) -> Answer:
    request = request_for(gap, document=DOCUMENT, max_tokens=length, **DECODERS[name])
    return ask(engine, request)


def _row(n_context: int, length: int, name: str, turns: dict[str, list[_Turn]]) -> Row:
    own, base = turns[name], turns[BASE]
    usage = [turn.again.finished.usage for turn in own]
    pairs = list(zip(own, base, strict=True))
    n_forwards = sum(one.n_forwards for one in usage)
    return {
        "tokens of context": n_context,
        "gap": length,
        "decoder": name,
        "new s": median_of([turn.new.seconds if turn.new else None for turn in own]),
        "again s": statistics.median(turn.again.seconds for turn in own),
        "tokens": statistics.median(turn.again.n_tokens for turn in own),
        "tokens a forward": sum(turn.again.n_tokens for turn in own) / max(1, n_forwards),
        "new ratio": median_of([_ratio(one.new, other.new) for one, other in pairs]),
        "again ratio": median_of([_ratio(one.again, other.again) for one, other in pairs]),
        "gaps": len(own),
    }


def _ratio(own: Answer | None, base: Answer | None) -> float | None:
    """Return how many times as fast as the base a fill was, by seconds a token."""
    if own is None or base is None:
        return None
    return (base.seconds / base.n_tokens) / (own.seconds / own.n_tokens)
