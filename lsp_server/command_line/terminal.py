"""`remask infill`: the editor's own path, from a file on disk to a diff."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.syntax import Syntax
from rich.text import Text

from lsp_server.documents import DocumentSnapshot
from lsp_server.errors import BadSelection, StaleResult, UnsupportedDocument
from lsp_server.fill.edits import split_lines
from lsp_server.fill.infill import (
    check_allowed,
    check_size,
    fill,
    make_plan,
    with_context,
)
from lsp_server.fill.prompts import choose_context
from lsp_server.project.at_once import definitions_around
from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess
from lsp_server.settings import Settings
from lsp_server.syntax.languages import guess_language
from model_runtime.protocol import StepReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from lsp_server.command_line.target import Target
    from lsp_server.fill.filled import Filled
    from lsp_server.fill.infill import Plan
    from lsp_server.protocol_ext import InfillParams
    from model_runtime.protocol import Notice

#: Lines of the file shown above and below a canvas.
_N_AROUND = 4


@dataclass(frozen=True)
class Output:
    """What `remask infill` is to do with the result."""

    write: bool = False
    watch: bool = False
    json: bool = False
    #: Print what the model would be shown, and nothing else.
    explain: bool = False


def infill_file(
    target: Target, params: InfillParams, context: Sequence[Path], output: Output
) -> None:
    """Fill a place in a file; print the diff, or write the file.

    Raises:
        ServerFault: no result; the message is for the user.
    """
    settings = Settings()
    snapshot = _read(target.path, settings)
    selections = target.selections(snapshot)
    if not selections and params.mode != "holes":
        raise BadSelection(
            f"Say where in the file: {target.path}:LINE, or {target.path}:LINE-LINE. "
            "Only --mode holes looks for the places itself."
        )
    others = [_read(path, settings) for path in context]
    for other in others:
        check_allowed(other, settings, root="")
    root = _root([snapshot, *others])
    plan = make_plan(snapshot, params, settings, selections=selections, root=root)
    if context:
        shown = choose_context(
            snapshot, others, settings, root=root, max_bytes=settings.max_file_bytes
        )
    else:
        place = plan.spans[0].start
        shown = definitions_around(snapshot, root, place, settings.context_bytes, settings)
    plan = with_context(plan, shown)
    if output.explain:
        sys.stdout.write(asyncio.run(_explain(plan)) + "\n")
        return
    filled = asyncio.run(_fill(plan, watch=output.watch))
    if output.write:
        write_file(snapshot, filled.text)
    if output.json:
        sys.stdout.buffer.write(msgspec.json.encode(describe(filled, output)) + b"\n")
    else:
        _print_result(filled, output)


def _read(path: Path, settings: Settings) -> DocumentSnapshot:
    if path.is_file():
        check_size(path.name, path.stat().st_size, settings.max_file_bytes)
    return DocumentSnapshot.read(path.absolute(), guess_language(path))


def _root(snapshots: Sequence[DocumentSnapshot]) -> str:
    """Return the current folder if it holds all the files, else none: what is named is shown."""
    root = Path.cwd()
    is_inside = all(Path(snapshot.path).is_relative_to(root) for snapshot in snapshots)
    return str(root) if is_inside else ""


async def _explain(plan: Plan) -> str:
    client = RuntimeClient(RuntimeProcess.default())
    try:
        request = msgspec.structs.replace(plan.request, explain=True, stream=False)
        return (await client.infill(request, None)).shown
    finally:
        await client.close()


async def _fill(plan: Plan, *, watch: bool) -> Filled:
    client = RuntimeClient(RuntimeProcess.default())
    try:
        with _Screen(plan, watch=watch) as screen:
            return await fill(client, plan, screen.show)
    finally:
        await client.close()


class _Screen:
    """What the terminal shows while the model works; stdout stays free for the result."""

    def __init__(self, plan: Plan, *, watch: bool) -> None:
        self._plan = plan
        self._watch = watch
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, transient=not watch, auto_refresh=False)
        self._stack = contextlib.ExitStack()
        self._said = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, report: StepReport | Notice) -> None:
        if isinstance(report, StepReport):
            picture: RenderableType = (
                canvas(self._plan, report) if self._watch else Text(_caption(report), "dim")
            )
        else:
            picture = Text(report.text, "dim")
        if self._console.is_terminal:
            self._live.update(picture, refresh=True)
        elif self._watch or self._is_news(report):
            self._console.print(picture)

    def _is_news(self, report: StepReport | Notice) -> bool:
        """Return whether a notice says more than another count; a log needs no progress bar."""
        if isinstance(report, StepReport):
            return False
        before, self._said = self._said, re.sub(r"\d+", "", report.text)
        return self._said != before


def canvas(plan: Plan, report: StepReport) -> Group:
    """Return a picture of an unfinished canvas in its place in the file."""
    text = plan.snapshot.text
    first, last = plan.spans[0], plan.spans[-1]
    above = split_lines(text[: first.start])[-_N_AROUND:]
    picture = Text().append("".join(above), "dim")
    for i, draft in enumerate(report.drafts):
        if i:
            picture.append(text[plan.spans[i - 1].end : plan.spans[i].start], "dim")
        for is_mask, run in groupby(draft, report.mark.__eq__):
            picture.append("".join(run), "magenta" if is_mask else "bold green")
    picture.append("".join(split_lines(text[last.end :])[:_N_AROUND]).rstrip(), "dim")
    return Group(picture, Text(_caption(report), "dim italic"))


def _caption(report: StepReport) -> str:
    return (
        f"step {report.step_index + 1}, {report.n_forwards} forwards, "
        f"{report.n_committed} tokens settled"
    )


def diff(filled: Filled) -> str:
    """Return the edit as a unified diff, every line with the line end it has in the file."""
    name = filled.plan.request.path
    lines = unified_diff(
        split_lines(filled.plan.snapshot.text), split_lines(filled.text), f"a/{name}", f"b/{name}"
    )
    return "".join(
        line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )


def describe(filled: Filled, output: Output) -> dict[str, Any]:
    """Return what `--json` prints. Offsets count characters of the file as it was."""
    return {
        "path": filled.plan.snapshot.path,
        "changed": bool(filled.replacements),
        "written": output.write,
        "edits": [
            {"start": edit.span.start, "end": edit.span.end, "text": edit.text}
            for edit in filled.replacements
        ],
        "texts": filled.best.texts,
        "score": filled.best.score,
        "finish": filled.best.finish,
        "n_new_faults": len(filled.new_faults),
        "model": filled.finished.model,
        "sampler": filled.finished.sampler,
        "seed": filled.finished.seed,
        "usage": filled.finished.usage,
        "diff": diff(filled),
    }


def write_file(snapshot: DocumentSnapshot, text: str) -> None:
    """Replace a file's text in one step, its permissions kept.

    Raises:
        StaleResult: the file is not what it was.
        UnsupportedDocument: it can't be written.
    """
    path = Path(snapshot.path).resolve()
    try:
        if path.read_bytes() != snapshot.text.encode("utf-8"):
            raise StaleResult(f"{path} changed while the model worked; nothing is written.")
        _replace(path, text.encode("utf-8"))
    except OSError as error:
        raise UnsupportedDocument(
            f"Can't write {path}: {error.strerror}. It is as it was."
        ) from error


def _replace(path: Path, data: bytes) -> None:
    # A name of its own: the file's may be as long as names can be.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".remask-", delete=False) as new:
        try:
            new.write(data)
            new.close()
            Path(new.name).chmod(path.stat().st_mode)
            Path(new.name).replace(path)
        except BaseException:
            Path(new.name).unlink()
            raise


def _print_result(filled: Filled, output: Output) -> None:
    say = Console(stderr=True, highlight=False).print
    if filled.silence:
        say(filled.silence)
        return
    if filled.no_judge:
        say(filled.no_judge, style="dim")
    if filled.warning:
        say(filled.warning, style="yellow")
    text, stdout = diff(filled), Console(highlight=False)
    if stdout.is_terminal:
        stdout.print(Syntax(text.rstrip("\n"), "diff", background_color="default"))
    else:
        sys.stdout.buffer.write(text.encode("utf-8"))
    if output.write:
        say(f"Wrote {os.path.relpath(filled.plan.snapshot.path)}.")
    usage = filled.finished.usage
    seconds = usage.context_s + usage.denoise_s
    say(
        f"{usage.n_tokens} tokens in {usage.n_forwards} forwards, {seconds:.1f} s "
        f"({filled.finished.model}, {filled.finished.sampler})",
        style="dim",
    )
