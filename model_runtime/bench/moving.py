"""Moving about: ghost text at one line of a long file after another."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from model_runtime.bench.ask import cached_percent, read_on, request_for
from model_runtime.bench.base import Table
from model_runtime.evaluation.asking import ask
from model_runtime.http.scrolled import Scrolled

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.bench.base import Row, Setup
    from model_runtime.bench.gaps import Cutter
    from model_runtime.engines.local import LocalEngine
    from model_runtime.evaluation.asking import Answer
    from model_runtime.evaluation.base import EvalTask

    #: Returns what is sent of a file with the cursor at a line.
    Show = Callable[[EvalTask, int], EvalTask]

#: Lines of the file, and the one where the cursor is first.
N_LINES = 800
START = 500
#: Lines by which the cursor moves, down where positive, and how often.
MOVES = ((1, 10), (-1, 10), (5, 5), (-5, 5), (20, 3), (-20, 3))
#: Lines before and behind the cursor that llama.vim and llama.vscode send unless told otherwise.
WINDOW = (256, 64)
MAX_TOKENS = 16


@dataclass(frozen=True)
class _Asked:
    """An answer, and the seconds that reading on took behind it."""

    timed: Answer
    read_s: float


def measure(setup: Setup) -> list[Table]:
    """Move about in a long file, shown in both ways that clients have."""
    engine, file = setup.engine(), long_file(setup.cutter())
    ask(engine, request_for(_whole(file, START), document="warm-up", max_tokens=1, lane="inline"))
    rows = [
        _row(
            f"cursor {abs(n)} {'down' if n > 0 else 'up'}", by, _walk(engine, file, n, n_times, by)
        )
        for n, n_times in MOVES[: 2 * setup.repeat]
        for by in (_whole, _window)
    ]
    return [
        Table(
            title="Moving about",
            says=(
                f"One-line fills in a file of {N_LINES} lines, the cursor so many lines further "
                "each time; asked for as an editor does, which shows the whole file, and as a "
                f"client that sends {WINDOW[0]} lines before the cursor and {WINDOW[1]} behind. "
                "Opened: the request before, of whose context nothing is in the cache, and which "
                "`glance_tokens` of it are shown to. The rest is read before the cursor moves, in "
                "the seconds of *read*; the same after every move, at most in those of *read on*."
            ),
            rows=tuple(rows),
        )
    ]


def long_file(cutter: Cutter) -> EvalTask:
    """Return one of `N_LINES`, put together from held-out code: the prefix of a gap."""
    gap = next(cutter.cut(MAX_TOKENS))
    n_tokens = 16 * N_LINES
    while (text := cutter.behind(gap, n_tokens).prefix).count("\n") < N_LINES:
        n_tokens *= 2
    return replace(gap, prefix="".join(text.splitlines(keepends=True)[-N_LINES:]), single_line=True)


def _whole(file: EvalTask, line: int) -> EvalTask:
    """Return the file with the cursor before what a line says."""
    before = file.prefix.splitlines(keepends=True)
    here, behind = before[line], "".join(before[line + 1 :])
    said = here.lstrip(" \t")
    prefix = "".join(before[:line]) + here.removesuffix(said)
    return replace(file, prefix=prefix, suffix=said + behind)


def _window(file: EvalTask, line: int) -> EvalTask:
    """Return what a client sends that shows a window."""
    n_before, n_behind = WINDOW
    whole = _whole(file, line)
    before = whole.prefix.splitlines(keepends=True)[max(0, line - n_before) :]
    behind = whole.suffix.splitlines(keepends=True)[: n_behind + 1]
    return replace(whole, prefix="".join(before), suffix="".join(behind))


def _walk(
    engine: LocalEngine, file: EvalTask, n_lines: int, n_times: int, by: Show
) -> list[_Asked]:
    """Ask where the cursor is first, and after each move."""
    engine.forget()
    scrolled = Scrolled()
    cursors = [START + n_lines * i for i in range(1 + n_times)]
    return [_ask(engine, by(file, cursor), scrolled) for cursor in cursors]


def _ask(engine: LocalEngine, gap: EvalTask, scrolled: Scrolled) -> _Asked:
    # As `remask serve` does; a whole file it leaves as it is.
    shown = replace(gap, prefix=scrolled.whole("", gap.prefix))
    request = request_for(
        shown, document="moving", max_tokens=MAX_TOKENS, lane="inline", may_glance=True
    )
    return _Asked(ask(engine, request), read_on(engine))


def _row(move: str, by: Show, asked: list[_Asked]) -> Row:
    opened, *moved = asked
    return {
        "done": move,
        "sent": "the file" if by is _whole else "a window",
        "times": len(moved),
        "s": statistics.median(one.timed.seconds for one in moved),
        "slowest s": max(one.timed.seconds for one in moved),
        "context cached %": cached_percent(one.timed for one in moved),
        "opened s": opened.timed.seconds,
        "read s": opened.read_s,
        "read on s": max(one.read_s for one in moved),
    }
