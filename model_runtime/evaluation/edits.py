"""`remask eval edits`: whole bodies, repairs and holes on HumanEvalPack, tried out by its tests.

Each is asked for as an editor would, and of several results the first that parses is taken. What is
measured is kept as it comes; with `--resume` what is there is not done again. Every second task is
for tuning; the others tell. Seconds are the processor's.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.base import Verdict
from model_runtime.evaluation.edits_page import page
from model_runtime.evaluation.pack import read_pack
from model_runtime.evaluation.pack_holes import make_holes
from model_runtime.evaluation.run import Deaf, Journal, Unstoppable, describe_machine, spread
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from model_runtime.engines.base import Engine
    from model_runtime.evaluation.pack import Function
    from model_runtime.evaluation.pack_holes import HoleTask
    from model_runtime.protocol import Finished, Mode

N_REPAIRS = 8
INSTRUCTION = "Implement the function."
MEASURED_NAME = "edits.json"
PAGE_NAME = "edits.md"


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


#: Asks for one edit of a task and says what became of it.
Ask: TypeAlias = "Callable[[], Edited]"


def main(arguments: argparse.Namespace) -> str:
    """Measure what is asked for; write and return the page."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = {"seed": arguments.seed, "settings": flags_of(arguments)}
    journal = Journal(arguments.out / "edits.jsonl", settings, Edited, resume=arguments.resume)
    engine = LocalEngine(load_settings(flags_of(arguments)))
    known = {(one.id, one.kind): one for one in journal.read()}
    try:
        for name, ask in _asked(arguments, engine):
            if name not in known:
                known[name] = ask()
                journal.append(known[name])
        machine = describe_machine(engine)
    finally:
        engine.close()
    edits, date = list(known.values()), time.strftime("%Y-%m-%d")
    measured = {"machine": machine, "date": date, **settings, "edits": edits}
    (arguments.out / MEASURED_NAME).write_bytes(msgspec.json.encode(measured))
    words = page(edits, machine, date)
    (arguments.out / PAGE_NAME).write_text(words, encoding="utf-8")
    return words


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
    for kind, instruction, is_told in ways:
        span = MaskSpan(enclosing=one.enclosing if is_told else None)

        def ask(kind: str = kind, instruction: str = instruction, span: MaskSpan = span) -> Edited:
            found, seconds = _ask(engine, one, "infill", (span,), seed, instruction)
            (text,) = found.alternatives[0].texts
            return _edited(one, kind, text, seconds, one.run(text))

        yield (one.id, kind), ask


def _repairs(engine: Engine, one: Function, seed: int) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Have a body repaired: a right one, a faulty one, and one that a diagnostic points into."""
    ways = [("clean", one.body, False), ("faulty", one.faulty, False), ("told", one.faulty, True)]
    for kind, body, is_told in ways:
        place = one.fault_lines if is_told else None
        span = MaskSpan(text=body, enclosing=one.enclosing, told=place)

        def ask(
            kind: str = kind, body: str = body, span: MaskSpan = span, *, is_told: bool = is_told
        ) -> Edited:
            words = one.symptoms if is_told else ""
            found, seconds = _ask(engine, one, "repair", (span,), seed, words, N_REPAIRS)
            texts = [alternative.texts[0] for alternative in found.alternatives]
            parsing = (text for text in texts if parses(one, text))
            text = next(parsing, texts[0])
            verdict = one.run(text)
            return _edited(one, f"repair, {kind}", text, seconds, verdict, is_same=text == body)

        yield (one.id, f"repair, {kind}"), ask


def _holes(engine: Engine, task: HoleTask, seed: int) -> Iterator[tuple[tuple[str, str], Ask]]:
    """Have holes filled together, and each alone in the file that is whole otherwise."""

    def fill(mode: Mode, chosen: Sequence[int]) -> tuple[tuple[str, ...], float]:
        before, spans, behind = task.spans(chosen)
        found, seconds = _request(engine, task.id, task.language, mode, before, spans, behind, seed)
        return found.alternatives[0].texts, seconds

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
    *,
    is_same: bool = False,
) -> Edited:
    return Edited(
        id=task.id,
        language=task.language,
        kind=kind,
        got=(got,) if isinstance(got, str) else got,
        verdict=verdict,
        is_same=is_same,
        seconds=seconds,
    )


def _ask(
    engine: Engine,
    one: Function,
    mode: Mode,
    spans: tuple[MaskSpan, ...],
    seed: int,
    instruction: str,
    n_alternatives: int = 1,
) -> tuple[Finished, float]:
    return _request(
        engine, one.id, one.language, mode, one.prefix, spans, one.suffix, seed,
        instruction, n_alternatives,
    )  # fmt: skip


def _request(
    engine: Engine,
    name: str,
    language: str,
    mode: Mode,
    prefix: str,
    spans: tuple[MaskSpan, ...],
    suffix: str,
    seed: int,
    instruction: str = "",
    n_alternatives: int = 1,
) -> tuple[Finished, float]:
    """Ask, and say how many of the processor's seconds it took: other work does not count."""
    request = InfillRequest(
        id=name, document=name, language=language, prefix=prefix, suffix=suffix, spans=spans,
        mode=mode, instruction=instruction, seed=seed, n_alternatives=n_alternatives,
        best_only=True,
    )  # fmt: skip
    started = time.process_time()
    return engine.infill(request, Deaf(), Unstoppable()), time.process_time() - started


def parses(one: Function, body: str) -> bool:
    """Say whether the file parses with a body in it."""
    text = one.prefix + body + one.suffix
    if one.language == "javascript":
        command = [shutil.which("node") or "node", "--check", "-"]
        ran = subprocess.run(command, input=text.encode(), check=False, capture_output=True)
        return ran.returncode == 0
    try:
        compile(text, "completed", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
