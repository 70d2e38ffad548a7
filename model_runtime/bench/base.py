"""What a benchmark is made of: what it is told, and the tables it makes.

A part is a module with `measure(setup) -> list[Table]`. Each part runs in a process of its own, so
what it leaves in memory slows no other one, and one that dies does not take the report with it.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

import msgspec

from model_runtime.bench.decoders import BenchEngine
from model_runtime.bench.gaps import Cutter
from model_runtime.engines.loading import LoadedModel, load_default
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

#: A cell of a table; None where it was not measured.
Cell: TypeAlias = str | int | float | None
#: Column to cell.
Row: TypeAlias = dict[str, Cell]

#: Tokens of context, the prompt's own control tokens included.
CONTEXTS = (250, 1000, 4000)
#: What `max_context_tokens` has to be for the longest of them.
MAX_CONTEXT_TOKENS = 4608
#: Where a distribution has a tail.
TAIL = 0.95


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What every part is told."""

    settings: RuntimeSettings
    #: How often to measure; each part says what it makes of it.
    repeat: int
    #: Requests of the part `memory`.
    n_requests: int
    #: Tokens of context, the shortest first.
    contexts: tuple[int, ...] = CONTEXTS

    def with_room(self) -> Self:
        """Return the same, with room for the longest context."""
        longest = max(self.settings.max_context_tokens, MAX_CONTEXT_TOKENS)
        settings = msgspec.structs.replace(self.settings, max_context_tokens=longest)
        return msgspec.structs.replace(self, settings=settings)

    def model(self) -> LoadedModel:
        """Load the default model."""
        return load_default(self.settings, lambda _text, _share: None)

    def engine(self) -> BenchEngine:
        """Return an engine for it."""
        return BenchEngine(self.settings)

    def cutter(self) -> Cutter:
        """Return what cuts gaps, counted in its tokens; the model is let go."""
        return Cutter(self.model().layout.template.tokenizer)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one kind."""

    title: str
    #: What it shows, in a sentence or two.
    says: str
    #: The columns stand in the order of the first row's.
    rows: tuple[Row, ...] = ()
    #: What was left out, and why; one sentence each.
    notes: tuple[str, ...] = ()
    #: The part that made it; set by the command.
    part: str = ""


def rotated(ways: Sequence[T], n: int) -> list[T]:
    """Return ways to do the same thing, in another order each time: so they take turns."""
    return [*ways[n % len(ways) :], *ways[: n % len(ways)]]


def tail(values: Sequence[float]) -> float:
    """Return what 95 of 100 values are at most; the largest of few."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(TAIL * len(ordered)))]


def median_of(values: Sequence[float | None]) -> float | None:
    """Return the median of what was measured; None where nothing was."""
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None


def at_each(n_context: int, repeat: int) -> int:
    """Return how many gaps to fill behind so much context: long ones take long."""
    return max(1, min(repeat, repeat * CONTEXTS[0] // n_context))
