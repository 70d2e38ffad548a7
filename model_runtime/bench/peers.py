"""Others with the same weights, in the same run: what is not installed is left out, and told."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from model_runtime.bench.ask import request_for
from model_runtime.bench.base import CONTEXTS, Table, at_each, median_of, rotated
from model_runtime.bench.keystrokes import LENGTH, typable
from model_runtime.bench.llama_cpp import LlamaCpp
from model_runtime.bench.plain_llada import measure_families
from model_runtime.bench.transformers_generate import TransformersGenerate
from model_runtime.errors import RuntimeFault
from model_runtime.evaluation.asking import Clock, ask
from model_runtime.evaluation.typist import typed
from model_runtime.text.fim import FimTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from model_runtime.bench.base import Row, Setup
    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.base import EvalTask

    class Peer(Protocol):
        """Another program with the weights."""

        #: For the table.
        name: str
        #: Whether it keeps the context of the last request.
        keeps_context: bool
        #: The longest context that it gets, in tokens: slow ones would take minutes.
        longest_context: int

        def forget(self) -> None:
            """Drop what it keeps of earlier requests."""

        def fill(self, gap: EvalTask, max_tokens: int) -> str:
            """Return its fill of a one-line gap."""


#: Keystrokes after which the peers are asked again.
TYPED = (2, 4, 6, 8, 10)
OURS = "remask, hybrid"


class Ours:
    """The default model in its engine."""

    name = OURS
    keeps_context = True
    longest_context = CONTEXTS[-1]

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine

    def forget(self) -> None:
        """See `Peer.forget`."""
        self._engine.forget()

    def fill(self, gap: EvalTask, max_tokens: int) -> str:
        """See `Peer.fill`."""
        request = request_for(gap, document="peers", max_tokens=max_tokens, lane="inline")
        return ask(self._engine, request).text


@dataclass
class _Taken:
    """What one peer took behind one context."""

    new: list[float] = field(default_factory=list)
    typed: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def measure(setup: Setup) -> list[Table]:
    """Measure the default model and its peers."""
    template = FimTemplate(setup.cutter().tokenizer)
    peers: list[Peer] = []
    missing = []
    for make in (LlamaCpp, TransformersGenerate):
        try:
            peers.append(make(setup.settings, template))
        except RuntimeFault as fault:
            missing.append(str(fault))
    return [measure_peers(setup, peers, missing), measure_families(setup.repeat)]


def measure_peers(setup: Setup, others: Sequence[Peer], missing: Sequence[str] = ()) -> Table:
    """Have each peer fill the same one-line gaps as we do, in turns."""
    # The longest context would take too long.
    cutter, contexts = setup.cutter(), setup.contexts[:2]
    peers: list[Peer] = [Ours(setup.engine()), *others]
    rows: list[Row] = []
    warm_up = cutter.behind(next(typable(cutter)), contexts[0])
    for peer in peers:
        peer.fill(warm_up, LENGTH)
    for n_context in contexts:
        asked = [peer for peer in peers if n_context <= peer.longest_context]
        taken = {peer.name: _Taken() for peer in asked}
        gaps = islice(typable(cutter), 2 * at_each(n_context, setup.repeat))
        for index, gap in enumerate(gaps):
            for peer in rotated(asked, index):
                _take(peer, cutter.behind(gap, n_context), taken[peer.name])
        rows += [_row(n_context, name, taken) for name in taken]
    return Table(
        title="Peers with the same weights",
        says=(
            "One-line fills from the same file of weights, greedy, at most "
            f"{LENGTH} tokens. New: no part of the context is in a cache; typing: the prefix two "
            "characters longer each time. Ratios are a peer's seconds over ours of the same turn; "
            "*same text* counts fills with the context new that are ours to the character. Texts "
            "differ because the engine rounds the file's weights anew and spells a half token "
            "before the cursor again, which the peers do not."
        ),
        rows=tuple(rows),
        notes=tuple(f"Not measured: {words}" for words in missing),
    )


def _take(peer: Peer, gap: EvalTask, taken: _Taken) -> None:
    peer.forget()
    seconds, text = _timed(peer, gap)
    taken.new.append(seconds)
    taken.texts.append(text.rstrip())
    if peer.keeps_context:
        taken.typed += [_timed(peer, typed(gap, n_typed))[0] for n_typed in TYPED]


def _timed(peer: Peer, gap: EvalTask) -> tuple[float, str]:
    clock = Clock()
    text = peer.fill(gap, LENGTH)
    return clock.seconds, text


def _row(n_context: int, name: str, taken: dict[str, _Taken]) -> Row:
    own, ours = taken[name], taken[OURS]
    same = [a == b for a, b in zip(own.texts, ours.texts, strict=True)]
    alike = [(a, b) for a, b, is_same in zip(own.new, ours.new, same, strict=True) if is_same]
    return {
        "tokens of context": n_context,
        "by": name,
        "new s": statistics.median(own.new),
        "typing s": median_of(own.typed),
        "new ratio": _ratio(own.new, ours.new),
        "typing ratio": _ratio(own.typed, ours.typed) if own.typed else None,
        "same text": f"{sum(same)} of {len(same)}",
        "new ratio of those": median_of([a / b for a, b in alike]),
    }


def _ratio(own: Sequence[float], ours: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(own, ours, strict=True))
