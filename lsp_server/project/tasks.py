"""Tasks for `remask eval project`: lines whose right answer stands in another file.

    remask eval make-project-tasks CORPUS --out tasks.jsonl.xz

A corpus is what `remask train-data` makes of a list of packages. Each line that is cut needs
something that another file of its package defines and that its own file says nowhere else:

    name       a function, type or constant, imported and not used yet
    arguments  of a function or type that the file calls nowhere else
    member     of an object or module, asked for nowhere else in the file

A package is for tuning or held out, whole, by its name.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import random
import re
import sys
from collections import Counter
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lsp_server.project.index import Index
from lsp_server.project.resolve import Place, module_of, resolve
from lsp_server.project.uses import find_type
from lsp_server.settings import Settings
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Split = Literal["tuning", "heldout"]
TASKS_NAME = "tasks.jsonl.xz"
#: Tasks of a split, and the most of one package and of one file.
N_TASKS, MAX_OF_PACKAGE, MAX_OF_FILE = 300, 24, 3
#: A shorter rest of a line could be anything; a longer one nobody would guess.
MIN_ANSWER, MAX_ANSWER = 4, 90
NAME = re.compile(r"[A-Za-z_$][\w$]*")
_COMMENT = re.compile(r"\s*(#|//|/?\*|--|\"\"\"|''')")
_IMPORTS = re.compile(
    r"\s*(from|import|export|use|pub use|package|#include)\b|.*\brequire\(|\s*[\w,\s]*$"
)
_MEMBER = re.compile(r"((?:self\.|this\.)?[A-Za-z_]\w*)(?:\.|->|::)([A-Za-z_]\w*)")
_KINDS = ("name", "arguments", "member")


class Project(msgspec.Struct, frozen=True, kw_only=True, tag="project"):
    """A package's source files."""

    name: str
    #: Package, version and licence.
    source: str
    split: Split
    files: dict[str, str]


class Task(msgspec.Struct, frozen=True, kw_only=True, tag="task"):
    """The rest of a line of one of them."""

    id: str
    kind: str
    language: str
    project: str
    path: str
    #: In characters of the file.
    start: int
    end: int
    #: Where what is needed is defined, and its name and owner there; None where nothing is.
    needed: tuple[str, str, str] | None


def split_of(package: str) -> Split:
    """Say on which side a package stands; its name alone decides."""
    return "heldout" if hashlib.sha256(package.encode()).digest()[0] % 2 else "tuning"


def read_tasks(path: Path) -> tuple[dict[str, Project], list[Task]]:
    """Read what `main` wrote."""
    decoder = msgspec.json.Decoder(Project | Task)
    rows = [decoder.decode(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    projects = {row.name: row for row in rows if isinstance(row, Project)}
    return projects, [row for row in rows if isinstance(row, Task)]


def index_of(project: Project) -> Index:
    """Return an index of a package, none of which lies on this disk."""
    index = Index(Path("/nowhere"), Settings())
    for path, text in project.files.items():
        index.open(path, text)
    return index


def cut(index: Index, project: Project, path: str, rng: random.Random) -> Iterator[Task]:
    """Yield the tasks of one file, in a random order."""
    text, language = project.files[path], guess_language(PurePosixPath(path))
    file = _File(index, path, language, text)
    for start, line in lines_of_code(text, language, rng):
        kinds = list(_KINDS)
        rng.shuffle(kinds)
        for kind in kinds:
            at, place = file.cut(start, line, kind) or (0, None)
            answer = line[at:].rstrip()
            if place is not None and can_be_guessed(answer):
                yield Task(
                    id=f"{kind}/{project.name}/{path}/{start + at}",
                    kind=kind,
                    language=language,
                    project=project.name,
                    path=path,
                    start=start + at,
                    end=start + at + len(answer),
                    needed=(place.path, place.definition.name, place.definition.owner),
                )
                break


class _File:
    """A file whose lines may be cut."""

    def __init__(self, index: Index, path: str, language: str, text: str) -> None:
        self._index, self._path, self._language, self._text = index, path, language, text
        self._facts = index.facts(path)
        self._words = Counter(NAME.findall(text))
        self._imported = {one.local for one in self._facts.imports if one.local}

    def cut(self, start: int, line: str, kind: str) -> tuple[int, Place] | None:
        """Return where to cut a line for a kind of task, and what is needed there."""
        if kind == "member":
            return self._cut_member(start, line)
        for found in NAME.finditer(line):
            name = found.group()
            is_called = line[found.end() : found.end() + 1] == "("
            n_said = 2 if name in self._imported else 1
            if self._words[name] != n_said or (kind == "arguments" and not is_called):
                continue
            if found.start() and line[found.start() - 1] in ".\"'`$@":
                continue
            places = [one for one in self._resolved(name) if one.path != self._path]
            if places:
                return (found.end() + 1 if kind == "arguments" else found.start()), places[0]
        return None

    def _cut_member(self, start: int, line: str) -> tuple[int, Place] | None:
        for found in _MEMBER.finditer(line):
            of, member = found[1], found[2]
            if self._words[member] != 1:
                continue
            index = self._index
            places = [
                Place(file, one)
                for file in module_of(index, self._path, self._language, self._facts, of)
                for one in index.facts(file).named(member)
            ]
            for name in [of, find_type(of, self._text, start + found.start(), self._facts)]:
                for place in self._resolved(name) if name else ():
                    own = index.facts(place.path).named(member, place.definition.name)
                    places += [Place(place.path, one) for one in own]
            if places:
                return found.start(2), places[0]
        return None

    def _resolved(self, name: str) -> list[Place]:
        return resolve(self._index, self._path, self._language, self._facts, name)


def lines_of_code(text: str, language: str, rng: random.Random) -> Iterator[tuple[int, str]]:
    """Yield where lines begin, and what they say, in a random order: no comments, no imports."""
    lines = text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    numbers = list(range(len(lines)))
    rng.shuffle(numbers)
    in_string = _lines_in_strings(text) if language == "python" else frozenset()
    for number in numbers:
        line = lines[number]
        if not (number in in_string or _COMMENT.match(line) or _IMPORTS.match(line)):
            yield starts[number], line


def can_be_guessed(answer: str) -> bool:
    """Say whether the rest of a line is neither anything nor what nobody would guess."""
    return sum(map(str.isalnum, answer)) >= MIN_ANSWER and len(answer) <= MAX_ANSWER


def some_of_each(tasks_of_files: Iterable[Iterator[Task]]) -> list[Task]:
    """Return a package's tasks: the first ones of each of its files."""
    return [
        task for tasks in tasks_of_files for _, task in zip(range(MAX_OF_FILE), tasks, strict=False)
    ]


def _lines_in_strings(text: str) -> frozenset[int]:
    """Return the lines that lie in a string of several lines."""
    found: set[int] = set()
    for quoted in re.finditer(r"(\"\"\"|''')[\s\S]*?\1", text):
        first = text.count("\n", 0, quoted.start())
        found |= set(range(first, first + quoted.group().count("\n") + 1))
    return frozenset(found)


def make_tasks(
    documents: Iterable[dict[str, Any]], seed: int = 0, n_tasks: int = N_TASKS
) -> list[Project | Task]:
    """Cut tasks of every package, as many of each as there are to be had, spread over the files."""
    files: dict[str, dict[str, str]] = {}
    sources: dict[str, str] = {}
    for one in documents:
        files.setdefault(one["package"], {})[one["path"]] = one["text"]
        sources[one["package"]] = f"{one['package']} {one['version']} ({one['licence']})"
    rng = random.Random(seed)  # noqa: S311  not for secrets
    rows: list[Project | Task] = []
    for split in ("tuning", "heldout"):
        names = sorted(name for name in files if split_of(name) == split)
        found: list[Task] = []
        for name in names:
            project = Project(name=name, source=sources[name], split=split, files=files[name])
            index = index_of(project)
            own = some_of_each(cut(index, project, path, rng) for path in sorted(project.files))
            rng.shuffle(own)
            found += _balanced(own)[:MAX_OF_PACKAGE]
        rng.shuffle(found)
        found = found[:n_tasks]
        kept = {task.project for task in found}
        rows += [
            Project(name=n, source=sources[n], split=split, files=files[n])
            for n in names
            if n in kept
        ]
        rows += found
    return rows


def _balanced(tasks: list[Task]) -> list[Task]:
    """Return tasks so that the first ones are of every kind."""
    seen: Counter[str] = Counter()
    ranks = {}
    for task in tasks:
        ranks[task.id] = seen[task.kind]
        seen[task.kind] += 1
    return sorted(tasks, key=lambda task: ranks[task.id])


def read_corpus(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the documents of a corpus that `remask train-data` made."""
    import gzip  # noqa: PLC0415

    path = folder / "documents.jsonl.gz" if folder.is_dir() else folder
    with gzip.open(path) as lines:
        for line in lines:
            yield msgspec.json.decode(line)


def main(words: list[str] | None = None) -> int:
    """Cut tasks and write them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="remask eval make-project-tasks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("corpus", type=Path, help="made by `remask train-data`")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, .jsonl.xz")
    parser.add_argument("--tasks", type=int, default=N_TASKS, help="of each split")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(words)
    rows = make_tasks(read_corpus(arguments.corpus), arguments.seed, arguments.tasks)
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    arguments.out.write_bytes(lzma.compress(lines, preset=9))
    n_tasks = sum(isinstance(row, Task) for row in rows)
    sys.stdout.write(f"{n_tasks} tasks, {arguments.out.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
