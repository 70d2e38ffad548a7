"""Self-correction on HumanEval-Infilling: what each stage after the plain fill is worth.

The stages are those of the editor, and use what an editor has: the model's scores, the suffix, and
whether the file parses. The syntax loop asks again where a fill breaks a file: first for the line
of the fill that the fault shows in, then for the whole span. The tests only judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from model_runtime.evaluation.asking import Clock, ask
from model_runtime.evaluation.base import Fill
from model_runtime.evaluation.execution import compiles, fault_at
from model_runtime.evaluation.metrics import Rate, Summary, share, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.base import EvalTask, Outcome

#: Results asked for where none parses, each time.
N_OTHERS = 4


class Stage(msgspec.Struct, frozen=True):
    """One way to fill."""

    name: str
    #: Of the runtime, beside those of the command line.
    settings: dict[str, str] = {}
    sampler: str = "hybrid"
    params: dict[str, Any] = {}
    n_alternatives: int = 1
    #: Whether these serve but to find the best one; see `InfillRequest.best_only`.
    best_only: bool = False
    #: How often the syntax loop asks again.
    n_rounds: int = 0
    #: Whether a line that is filled keeps its line end in the file, as in an editor; the benchmark
    #: takes it out with the line.
    keeps_line_end: bool = True
    #: Whether it says anything of single lines, too.
    is_for_lines: bool = True


_ONE_BY_ONE = {"n_drafts": 0}
_UNHEALED = {"heal_tokens": "false"}
STAGES = (
    Stage(
        "base, greedy, bare",
        _UNHEALED | {"end_early": "false"},
        params=_ONE_BY_ONE,
        keeps_line_end=False,
    ),
    Stage("base, greedy, ended early", _UNHEALED, params=_ONE_BY_ONE, is_for_lines=False),
    Stage("base, greedy, healed and ended", params=_ONE_BY_ONE),
    Stage("one pass over the canvas", sampler="low_confidence", params={"threshold": 0.0}),
    Stage("canvas and causal check"),
    Stage("+ syntax loop", n_rounds=2),
    Stage("+ 4 alternatives, ranked", n_rounds=2, n_alternatives=4, best_only=True),
    # Of a single line it takes as many.
    Stage("as an editor has it", n_rounds=2, best_only=True, is_for_lines=False),
)


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """One stage on one benchmark."""

    benchmark: str
    stage: str
    summary: Summary
    #: Share of the fills behind which the file parses no more, though it did before.
    broken: Rate
    #: Tasks that pass here and did not with the first stage, and the other way round.
    n_won: int = 0
    n_lost: int = 0


class EditorFiller:
    """Fills as the editor does in one stage: of several results the first that parses.

    Its seconds are the processor's, so that other work on the machine does not count.
    """

    def __init__(self, engine: Engine, stage: Stage) -> None:
        self._engine, self._stage = engine, stage

    def __call__(self, task: EvalTask, seed: int) -> Fill:
        """Fill a task's gap; see `Filler`."""
        stage, suffix = self._stage, task.suffix
        if stage.keeps_line_end and task.single_line and task.reference.endswith("\n"):
            suffix = f"\n{suffix}"
        clock = Clock()
        request = msgspec.structs.replace(
            task.request(seed), suffix=suffix, sampler=stage.sampler, params=stage.params,
            n_alternatives=stage.n_alternatives, best_only=stage.best_only,
        )  # fmt: skip
        found = [ask(self._engine, request)]
        text = _first_that_parses(task, found[0].texts)
        for n_round in range(stage.n_rounds):
            if parses(task, text):
                break
            start, end = fault_line(task, text) if n_round == 0 else (0, len(text))
            head, tail = text[:start], text[end:]
            others = msgspec.structs.replace(
                request, prefix=task.prefix + head, suffix=tail + suffix, n_alternatives=N_OTHERS,
                best_only=False,
            )  # fmt: skip
            found.append(ask(self._engine, others))
            tried = [text, *(head + other + tail for other in found[-1].texts)]
            text = _first_that_parses(task, tried)
        usages = [answer.finished.usage for answer in found]
        return Fill(
            text=text,
            n_forwards=sum(usage.n_forwards for usage in usages),
            n_tokens=usages[0].n_tokens,
            seconds=clock.processor_s,
        )


def corrected(
    benchmark: str,
    stage: Stage,
    tasks: Sequence[EvalTask],
    outcomes: Sequence[Outcome],
    first: Sequence[Outcome] | None = None,
) -> Corrected:
    """Sum up the outcomes of tasks in one stage, beside those in the first one."""
    gains = [
        (now.verdict == "pass") - (then.verdict == "pass")
        for now, then in zip(outcomes, first or outcomes, strict=True)
    ]
    return Corrected(
        benchmark=benchmark,
        stage=stage.name,
        summary=summarize(outcomes),
        broken=share(
            not parses(task, outcome.fill.text)
            for task, outcome in zip(tasks, outcomes, strict=True)
            if parses(task, task.reference)
        ),
        n_won=gains.count(1),
        n_lost=gains.count(-1),
    )


def parses(task: EvalTask, text: str) -> bool:
    """Say whether the file parses with a fill in it: the compiler knows, grammars are not here."""
    return compiles(task.complete(text))


def fault_line(task: EvalTask, text: str) -> tuple[int, int]:
    """Return where in a fill the line stands that a fault shows in, without its indentation.

    A fault that shows outside of the fill is put down to the line of it that is nearest.
    """
    lines = text.split("\n")
    fault = fault_at(task.complete(text))
    shown = 0 if fault is None else fault - 1 - task.prefix.count("\n")
    index = min(max(shown, 0), len(lines) - 1)
    while index and not lines[index].strip():
        index -= 1
    start = sum(len(line) + 1 for line in lines[:index])
    blanks = len(lines[index]) - len(lines[index].lstrip())
    return start + blanks, start + len(lines[index])


def _first_that_parses(task: EvalTask, texts: Sequence[str]) -> str:
    return next((text for text in texts if parses(task, text)), texts[0])
