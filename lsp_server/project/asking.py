"""What the language server would ask the runtime at the tasks of `remask eval project`."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lsp_server.project.choice import choose, laid_out, said
from lsp_server.project.own_lines import own_lines
from lsp_server.project.tasks import TASKS_NAME, index_of, read_tasks
from lsp_server.project.wanted import Document
from model_runtime.protocol import ContextFile, InfillRequest, MaskSpan
from model_runtime.protocol.eval_tasks import ProjectTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsp_server.project.index import Index
    from lsp_server.project.tasks import Project, Split, Task
    from lsp_server.project.wanted import Line

#: The tasks that are shipped.
TASKS = Path(__file__).with_name(TASKS_NAME)
#: Bytes of other files that are shown.
N_BYTES = 1000


def asked(index: Index, project: Project, task: Task, n_bytes: int) -> ProjectTask:
    """Return a task as the runtime is asked, with at most so many bytes of other files shown."""
    text = project.files[task.path]
    # What is asked for is not there yet.
    line_end = text.find("\n", task.end)
    behind = text[line_end if line_end >= 0 else len(text) :]
    begun = text.rfind("\n", 0, task.start) + 1
    shown: list[InfillRequest] = []
    lines: tuple[Line, ...] = ()
    for at in (begun, task.start):
        typed = text[:at] + behind
        index.open(task.path, typed)
        document = Document(index, task.path, task.language, typed, at)
        lines = tuple(choose(document, n_bytes, lines))
        shown.append(
            InfillRequest(
                id=task.id,
                path=task.path,
                document=task.id,
                language=task.language,
                prefix=text[:at],
                suffix=behind,
                spans=(MaskSpan(single_line=True),),
                context=tuple(laid_out(lines)),
                lane="inline",
                least_confidence=0.0,
                seed=0,
            )
        )
    index.open(task.path, text)
    given: tuple[ContextFile, ...] = ()
    if task.needed is not None:
        path, name, owner = task.needed
        given = (ContextFile(path=path, text=said(index, path, name, owner, task.language)),)
    needed = {one.text.splitlines()[-1].strip() for one in given}
    return ProjectTask(
        id=task.id,
        kind=task.kind,
        source=project.source,
        before=shown[0],
        request=shown[1],
        given=given,
        is_found=bool({line.text for line in lines} & needed),
        reference=text[task.start : task.end],
    )


def all_asked(
    split: Split, n_bytes: int, path: Path = TASKS, *, needs_others: bool = True
) -> Iterator[ProjectTask]:
    """Yield the tasks of a split, or as many lines of the same packages that need no other file."""
    projects, tasks = read_tasks(path)
    if not needs_others:
        tasks = own_lines(one for one in projects.values() if one.split == split)
    indexes: dict[str, Index] = {}
    for task in tasks:
        project = projects[task.project]
        if project.split == split:
            index = indexes.get(project.name) or index_of(project)
            indexes[project.name] = index
            yield asked(index, project, task, n_bytes)


def write_asked(
    split: Split, n_bytes: int, out: Path, path: Path = TASKS, *, needs_others: bool = True
) -> int:
    """Write the tasks of `all_asked` for the runtime; return how many."""
    asked_all = all_asked(split, n_bytes, path, needs_others=needs_others)
    lines = [msgspec.json.encode(one) + b"\n" for one in asked_all]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gzip.compress(b"".join(lines), mtime=0))
    return len(lines)


def asked_for(words: list[str]) -> list[str]:
    """Write down what is asked, and return the runtime's own words for `remask eval project`.

    Args:
        words: of the command line: `project`, what is said here, and the runtime's.
    """
    parser = argparse.ArgumentParser(prog="remask eval project", add_help=False)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, default=TASKS)
    parser.add_argument("--split", choices=("tuning", "heldout"), default="heldout")
    parser.add_argument("--bytes", type=int, default=N_BYTES)
    parser.add_argument("--own", action="store_true", help="lines that need no other file")
    if {"-h", "--help"} & set(words):
        return words
    own, others = parser.parse_known_args(words[1:])
    what = f"{own.split}-own" if own.own else own.split
    out = own.out / f"asked-{what}-{own.bytes}.jsonl.gz"
    write_asked(own.split, own.bytes, out, own.tasks, needs_others=not own.own)
    return ["project", "--out", str(own.out), "--tasks", str(out), *others]
