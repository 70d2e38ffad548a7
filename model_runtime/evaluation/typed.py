"""Ghost text for lines that are typed: asked for as an editor asks, and kept as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from model_runtime.bench.llama_cpp import LlamaCpp
from model_runtime.engines.loading import load_default
from model_runtime.evaluation.asking import Clock, ask
from model_runtime.evaluation.typist import Ghost, typed
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import MAX_TOKENS_ONE_LINE

if TYPE_CHECKING:
    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.journal import Journal
    from model_runtime.evaluation.typist import Make
    from model_runtime.settings import RuntimeSettings


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody made for one place of one line."""

    by: str
    id: str
    #: Characters of the line that stood there.
    at: int
    ghost: Ghost


class Maker:
    """Makes ghost text once for each place; the journal is that of all makers, by name."""

    def __init__(self, by: str, make: Make, journal: Journal[Made]) -> None:
        self.by, self._make, self._journal = by, make, journal

    def places(self, line: EvalTask) -> list[tuple[EvalTask, int, Ghost]]:
        """Return all that was made for a line, with the places."""
        return [
            (line, one.at, one.ghost)
            for one in self._journal.known.values()
            if (one.by, one.id) == (self.by, line.id)
        ]

    def __call__(self, line: EvalTask, at: int) -> Ghost:
        """Return what is made for a place."""

        def make() -> Made:
            return Made(by=self.by, id=line.id, at=at, ghost=self._make(line, at))

        return self._journal.once((self.by, line.id, at), make).ghost


def by_engine(engine: Engine, name: str, least: float) -> Make:
    """Return what asks an engine as an editor does.

    Args:
        engine: fills.
        name: tells its documents from another's: none profits from what another one encoded.
        least: see `InfillRequest.least_confidence`.
    """

    def make(line: EvalTask, at: int) -> Ghost:
        request = msgspec.structs.replace(
            typed(line, at).request(),
            document=f"{name}/{line.id}",
            lane="inline",
            least_confidence=least,
        )
        answer = ask(engine, request)
        (stretches,) = answer.finished.alternatives[0].confidence or ((),)
        return Ghost(
            text=answer.text,
            stretches=tuple((one.n_chars, one.confidence) for one in stretches),
            n_forwards=answer.finished.usage.n_forwards,
            seconds=answer.seconds,
            processor_s=answer.processor_s,
        )

    return make


def by_llama_cpp(settings: RuntimeSettings) -> tuple[str, Make]:
    """Return llama-cpp-python's name, and what asks it; it keeps the context of the last request.

    Raises:
        ModelLoadFailed: it is not installed.
    """
    tokenizer = load_default(settings, lambda _text, _share: None).layout.template.tokenizer
    llama = LlamaCpp(settings, FimTemplate(tokenizer))

    def make(line: EvalTask, at: int) -> Ghost:
        clock = Clock()
        text = llama.fill(typed(line, at), MAX_TOKENS_ONE_LINE)
        return Ghost(text=text, seconds=clock.seconds, processor_s=clock.processor_s)

    return llama.name, make
