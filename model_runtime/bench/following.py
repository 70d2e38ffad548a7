"""Next edits as an editor has them: from the end of an edit to the offer.

The real language server with the real runtime behind it, in a file of 500 lines. A parameter of one
of its functions gets another name, or a call another argument; the first time its surroundings are
read, the second time they are known, as they are while one works at a place. The pause that editors
wait for before they ask (`nextEdit.debounceMs`) comes on top of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.bench.base import Table, median_of, tail
from model_runtime.bench.server import Editor
from model_runtime.evaluation.asking import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_runtime.bench.base import Row, Setup

URI = "file:///bench/scales.py"
N_FUNCTIONS = 50
#: Functions of each kind that are edited, for each repetition that is asked for.
N_EDITED = 4
_FUNCTION = """\
def scale_{0}(values, factor_{0}):
    result_{0} = []
    for value in values:
        if value is None:
            continue
        result_{0}.append(value * factor_{0})
    return result_{0}, factor_{0}


"""
TEXT = "".join(_FUNCTION.format(index) for index in range(N_FUNCTIONS))
#: The line of a function, and what one word of it is, is then, and is at last.
EDITS = {
    "a parameter renamed": (0, "factor_{0}", "ratio_{0}", "weight_{0}"),
    "another variable at one use": (6, ", factor_{0}", ", values", ", scale_{0}"),
}
#: Seconds within which a runtime has come up.
_TIMEOUT_S = 300


@dataclass(frozen=True)
class Asked:
    """One edit, and what came of it."""

    ms: float
    #: Of the runtime's and the server's processors, together.
    processor_ms: float | None
    n_places: int


class Document:
    """A document that is edited in an editor, a line at a time."""

    def __init__(self, editor: Editor, text: str) -> None:
        self._editor = editor
        self._lines = text.split("\n")
        self._version = 1
        document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        editor.notify("textDocument/didOpen", {"textDocument": document})

    def edit(self, line: int, old: str, new: str) -> None:
        """Put one word in the place of another, as typing does: all of it at once."""
        at = self._lines[line].index(old)
        self._lines[line] = self._lines[line].replace(old, new, 1)
        self._version += 1
        place = [{"line": line, "character": character} for character in (at, at + len(old))]
        change = {"range": {"start": place[0], "end": place[1]}, "text": new}
        document = {"uri": URI, "version": self._version}
        self._editor.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    def ask(self, line: int) -> Asked:
        """Ask what follows from the last edit."""
        place = {"line": line, "character": 0}
        params = {"uri": URI, "version": self._version, "position": place}
        clock, processor = Clock(), processor_s()
        found = self._editor.request("remask/nextEdit", params)
        ms, ended = 1e3 * clock.seconds, processor_s()
        taken = None if processor is None or ended is None else 1e3 * (ended - processor)
        return Asked(ms, taken, len(found["edits"]) if found else 0)


def measure(setup: Setup) -> list[Table]:
    """Measure with the default model."""
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        editor = Editor(Path(folder))
        try:
            capabilities = {"experimental": {"remask": {"nextEdit": True}}}
            editor.request("initialize", {"processId": os.getpid(), "capabilities": capabilities})
            editor.notify("initialized", {})
            document = Document(editor, TEXT)
            _bring_up(document)
            rows = list(_rows(document, N_EDITED * setup.repeat))
        finally:
            editor.close()
    says = "From the end of an edit to the offer, or to silence, without the editor's pause."
    return [Table(title="Next edits", says=says, rows=tuple(rows))]


def _bring_up(document: Document) -> None:
    """Edit until something is offered: the model is there then."""
    ends = time.monotonic() + _TIMEOUT_S
    for n in range(1000):
        document.edit(0, "factor_0" if n == 0 else f"ratio_{n - 1}", f"ratio_{n}")
        if document.ask(0).n_places or time.monotonic() > ends:
            return


def _rows(document: Document, n_edited: int) -> Iterator[Row]:
    index = 0
    for name, (n_lines, *words) in EDITS.items():
        asked: dict[str, list[Asked]] = {"new": [], "known": []}
        for _ in range(n_edited):
            index += 1
            line = index * _FUNCTION.count("\n") + n_lines
            said = [word.format(index) for word in words]
            for some, old, new in zip(asked.values(), said, said[1:], strict=False):
                document.edit(line, old, new)
                some.append(document.ask(line))
        for surroundings, some in asked.items():
            times = [one.ms for one in some]
            yield {
                "edit": name,
                "its surroundings": surroundings,
                "ms": median_of(times),
                "ms, 95 %": tail(times),
                "ms of the processor": median_of([one.processor_ms for one in some]),
                "offered": sum(one.n_places > 0 for one in some),
                "edits": len(some),
            }


def processor_s() -> float | None:
    """Return the seconds that what this process began has had a processor for; None off Linux."""
    stats = dict[int, tuple[int, float]]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything.
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = int(words[1]), (int(words[11]) + int(words[12])) / _TICKS
    if os.getpid() not in stats:
        return None
    own, total = {os.getpid()}, 0.0
    for pid in sorted(stats):
        parent, seconds = stats[pid]
        if parent in own:
            own.add(pid)
            total += seconds
    return total


#: Of the kernel's clock in a second.
_TICKS = 100
