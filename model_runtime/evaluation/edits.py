"""`remask eval edits`: whole bodies, repairs and holes on HumanEvalPack, tried out by its tests.

Each is asked for as an editor would, and of several results the first that parses is taken. What is
measured is kept as it comes; with `--resume` what is there is not done again. Every second task is
for tuning; the others tell. Seconds are the processor's.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.base import Verdict
from model_runtime.evaluation.edits_page import page
from model_runtime.evaluation.execution import compiles
from model_runtime.evaluation.pack import read_pack
from model_runtime.evaluation.pack_holes import make_holes
from model_runtime.evaluation.run import describe_machine, engine_of, journal_of, spread
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import flags_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.pack import Function
    from model_runtime.evaluation.pack_holes import HoleTask
    from model_runtime.protocol import Enclosing, Finished, Mode

N_REPAIRS = 8
INSTRUCTION = "Implement the function."
MEASURED_NAME = "edits.json"


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The first change of a repair that parses, made or not."""

    log_odds: float
    verdict: Verdict


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """One edit that was asked for, and what became of it."""

    id: str
    language: str
    #: What was asked for; a row of the page.
    kind: str
    got: tuple[str, ...]
    verdict: Verdict
    #: Whether nothing was changed.
    is_same: bool = False
    seconds: float
    changed: Changed | None = None


#: Asks for one edit of a task and says what became of it.
Ask: TypeAlias = "Callable[[], Edited]"


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write and return the page."""
    settings = {"seed": arguments.seed, "settings": flags_of(arguments)}
    journal = journal_of(arguments, "edits", settings, Edited, "id", "kind")
    with engine_of(arguments, "local") as engine:
        for name, measure in _asked(arguments, engine):
            journal.once(name, measure)
        machine = describe_machine(engine)
    edits, date = list(journal.known.values()), time.strftime("%Y-%m-%d")
    measured = {"machine": machine, "date": date, **settings, "edits": edits}
    (arguments.out / MEASURED_NAME).write_bytes(msgspec.json.encode(measured))
    return page(edits, machine, date)


def _asked(arguments: argparse.Namespace, engine: Engine) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Yield what is to be measured, each with its name; mixed, so that a cut run tells of all."""
    packs = [_chosen(read_pack(file), arguments.tasks) for file in arguments.file]
    parts = arguments.part or PARTS
    functions = [one for pack in packs for one in spread(pack, arguments.limit)]
    made = [make_holes(pack, arguments.holes // len(packs), arguments.seed) for pack in packs]
    holes = [one for together in zip_longest(*made) for one in together if one]
    mixed = sorted(functions, key=lambda one: int(one.id.rpartition("/")[2]))
    for index in range(max(len(mixed), len(holes))):
        for one in mixed[index : index + 1]:
            for part in parts:
                yield from _OF_FUNCTIONS.get(part, _nothing)(engine, one, arguments.seed)
        for task in holes[index : index + 1] if "holes" in parts else ():
            if task.is_sound:
                yield from _holes(engine, task, arguments.seed)


def _chosen(pack: list[Function], tasks: str) -> list[Function]:
    """Return the functions to tune on, those that tell, or all."""
    return {"tuning": pack[0::2], "telling": pack[1::2], "all": pack}[tasks]


def _nothing(*_: object) -> Iterator[tuple[tuple[str, str], Ask]]:
    yield from ()


def _bodies(engine: Engine, one: Function, seed: int) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Have a body written: as an editor asks, as who knows no syntax asks, and in words."""
    ways = [
        ("body", "", True),
        ("body, the function not told", "", False),
        ("body, in words", INSTRUCTION, True),
    ]

    def write(kind: str, words: str, where: Enclosing | None) -> Edited:
        answer = _ask(engine, one, "infill", MaskSpan(enclosing=where), seed, instruction=words)
        return _edited(one, kind, answer.text, answer.processor_s, one.run(answer.text))

    for kind, words, is_told in ways:
        yield (one.id, kind), partial(write, kind, words, one.enclosing if is_told else None)


def _repairs(engine: Engine, one: Function, seed: int) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Have a body repaired: a right one, a faulty one, and one that a diagnostic points into."""

    def repair(kind: str, body: str, told: tuple[int, int] | None, words: str) -> Edited:
        span = MaskSpan(text=body, enclosing=one.enclosing, told=told)
        answer = _ask(
            engine, one, "repair", span, seed, instruction=words, n_alternatives=N_REPAIRS
        )
        text = next((text for text in answer.texts if parses(one, text)), answer.text)
        edited = _edited(one, kind, text, answer.processor_s, one.run(text))
        return msgspec.structs.replace(
            edited, is_same=text == body, changed=_changed(one, answer.finished, body)
        )

    ways = [
        ("repair, clean", one.body, None, ""),
        ("repair, faulty", one.faulty, None, ""),
        ("repair, told", one.faulty, one.fault_lines, one.symptoms),
    ]
    for way in ways:
        yield (one.id, way[0]), partial(repair, *way)


def _changed(one: Function, finished: Finished, body: str) -> Changed | None:
    for alternative in finished.alternatives:
        (text,), confidence = alternative.texts, alternative.confidence
        if text != body and confidence and parses(one, text):
            right = confidence[0][-1].confidence
            return Changed(log_odds=math.log(right / max(1e-9, 1 - right)), verdict=one.run(text))
    return None


def _holes(engine: Engine, task: HoleTask, seed: int) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Have holes filled together, and each alone in the file that is whole otherwise."""

    def fill(mode: Mode, chosen: Sequence[int]) -> tuple[tuple[str, ...], float]:
        before, spans, behind = task.spans(chosen)
        answer = ask(
            engine,
            InfillRequest(
                id=task.id, document=task.id, language=task.language, prefix=before, suffix=behind,
                spans=spans, mode=mode, seed=seed, best_only=True,
            ),
        )  # fmt: skip
        return answer.finished.alternatives[0].texts, answer.processor_s

    def together() -> Edited:
        everything = range(len(task.holes))
        texts, seconds = fill("holes", everything)
        verdict = task.run(everything, texts)
        return _edited(task, f"holes, {task.kind}", texts, seconds, verdict)

    def alone() -> Edited:
        texts, total = list[str](), 0.0
        verdict: Verdict = "pass"
        for index in range(len(task.holes)):
            (text,), seconds = fill("holes", [index])
            texts.append(text)
            total += seconds
            if (ran := task.run([index], [text])) != "pass":
                verdict = ran
        return _edited(task, f"holes, {task.kind}, each alone", tuple(texts), total, verdict)

    yield (task.id, f"holes, {task.kind}"), together
    yield (task.id, f"holes, {task.kind}, each alone"), alone


#: What can be measured of each function.
_OF_FUNCTIONS: dict[str, Callable[[Engine, Function, int], Iterator[tuple[tuple[str, str], Ask]]]]
_OF_FUNCTIONS = {"bodies": _bodies, "repairs": _repairs}
PARTS = (*_OF_FUNCTIONS, "holes")


def _edited(
    task: Function | HoleTask,
    kind: str,
    got: str | tuple[str, ...],
    seconds: float,
    verdict: Verdict,
) -> Edited:
    return Edited(
        id=task.id,
        language=task.language,
        kind=kind,
        got=(got,) if isinstance(got, str) else got,
        verdict=verdict,
        seconds=seconds,
    )


def _ask(
    engine: Engine, one: Function, mode: Mode, span: MaskSpan, seed: int, **fields: Any
) -> Answer:
    request = InfillRequest(
        id=one.id, document=one.id, language=one.language, prefix=one.prefix, suffix=one.suffix,
        spans=(span,), mode=mode, seed=seed, best_only=True, **fields,
    )  # fmt: skip
    return ask(engine, request)


def parses(one: Function, body: str) -> bool:
    """Say whether the file parses with a body in it."""
    text = one.prefix + body + one.suffix
    if one.language != "javascript":
        return compiles(text)
    command = [shutil.which("node") or "node", "--check", "-"]
    ran = subprocess.run(command, input=text.encode(), check=False, capture_output=True)
    return ran.returncode == 0
