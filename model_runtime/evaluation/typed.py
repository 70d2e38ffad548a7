"""Ghost text for lines that are typed: asked for as an editor asks, and kept as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.ask import tokenizer_of
from model_runtime.bench.gaps import Gap
from model_runtime.bench.llama_cpp import LlamaCpp
from model_runtime.evaluation.run import Deaf, Unstoppable
from model_runtime.evaluation.typist import Ghost
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import MAX_TOKENS_ONE_LINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.run import Journal
    from model_runtime.evaluation.typist import Line
    from model_runtime.settings import RuntimeSettings


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody made for one place of one line."""

    by: str
    id: str
    #: Characters of the line that stood there.
    at: int
    ghost: Ghost


class Maker:
    """Makes ghost text once for each place, and remembers it.

    Args:
        by: name of whoever makes it.
        make: does it, for a line of which so many characters stand there.
        journal: of all makers; what stands in it is not made again.
    """

    def __init__(self, by: str, make: Callable[[Line, int], Ghost], journal: Journal[Made]) -> None:
        self.by, self._make, self._journal = by, make, journal
        self._made = {(one.id, one.at): one.ghost for one in journal.read() if one.by == by}

    def places(self, line: Line) -> list[tuple[Line, int, Ghost]]:
        """Return all that was made for a line, with the places."""
        return [(line, at, ghost) for (id_, at), ghost in self._made.items() if id_ == line.id]

    def __call__(self, line: Line, at: int) -> Ghost:
        """Return what is made for a place."""
        ghost = self._made.get((line.id, at))
        if ghost is None:
            ghost = self._made[line.id, at] = self._make(line, at)
            self._journal.append(Made(by=self.by, id=line.id, at=at, ghost=ghost))
        return ghost


def by_engine(engine: Engine, name: str, least: float) -> Callable[[Line, int], Ghost]:
    """Return what asks an engine as an editor does.

    Args:
        engine: fills.
        name: tells its documents from another's: none profits from what another one encoded.
        least: see `InfillRequest.least_confidence`.
    """

    def make(line: Line, at: int) -> Ghost:
        request = InfillRequest(
            id="typed",
            path=line.path,
            document=f"{name}/{line.id}",
            language=line.language,
            prefix=line.prefix + line.text[:at],
            suffix=line.suffix,
            spans=(MaskSpan(single_line=True),),
            lane="inline",
            seed=0,
            least_confidence=least,
        )
        started, processor = time.perf_counter(), time.process_time()
        finished = engine.infill(request, Deaf(), Unstoppable())
        best = finished.alternatives[0]
        (stretches,) = best.confidence or ((),)
        return Ghost(
            text=best.texts[0],
            stretches=tuple((one.n_chars, one.confidence) for one in stretches),
            n_forwards=finished.usage.n_forwards,
            seconds=time.perf_counter() - started,
            processor_s=time.process_time() - processor,
        )

    return make


def by_llama_cpp(settings: RuntimeSettings) -> tuple[str, Callable[[Line, int], Ghost]]:
    """Return llama-cpp-python's name, and what asks it; it keeps the context of the last request.

    Raises:
        ModelLoadFailed: it is not installed.
    """
    llama = LlamaCpp(settings, FimTemplate(tokenizer_of(settings)))

    def make(line: Line, at: int) -> Ghost:
        gap = Gap(
            language=line.language,
            path=line.path,
            prefix=line.prefix + line.text[:at],
            suffix=line.suffix,
            reference="",
            single_line=True,
        )
        started, processor = time.perf_counter(), time.process_time()
        text = llama.fill(gap, MAX_TOKENS_ONE_LINE)
        return Ghost(
            text=text,
            seconds=time.perf_counter() - started,
            processor_s=time.process_time() - processor,
        )

    return llama.name, make
