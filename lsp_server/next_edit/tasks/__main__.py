"""Tasks for `remask eval next-edit`, cut out of source files by their syntax trees.

    python -m lsp_server.next_edit.tasks CORPUS --split heldout --out tasks.jsonl.gz
    python -m lsp_server.next_edit.tasks CORPUS --releases OLD NEW --out tasks.jsonl.gz

A corpus is what `remask train-data` makes: documents with their package, version and licence. The
tasks hold what the language server asks the runtime, so that measuring them needs no grammar.

    rename   a parameter, local, member or function gets another name where it is bound; wanted are
             its other mentions
    argument a parameter is put into a signature or taken out of it; wanted are the arguments that
             the file has there, or that they go
    silence  a use is made one of something else that is in scope, a literal or a word of a comment
             is changed; nothing is wanted
    real     of `--releases`: the first place in which two releases of a file differ is the edit,
             the others are wanted
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.next_edit.tasks.arguments import argument
from lsp_server.next_edit.tasks.cutting import IDENTIFIER
from lsp_server.next_edit.tasks.releases import real
from lsp_server.next_edit.tasks.renames import rename
from lsp_server.next_edit.tasks.silence import silence
from lsp_server.syntax.languages import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from model_runtime.protocol.eval_tasks import NextEditTask

#: The most tasks of a package, and of a file.
MAX_OF_PACKAGE, MAX_OF_FILE = 8, 2
LANGUAGES = ("python", "typescript", "go", "rust", "java", "c")


MAKERS = {"rename": rename, "silence": silence, "argument": argument}


def make_tasks(
    documents: Iterable[dict[str, Any]],
    n_tasks: int,
    seed: int = 0,
    kinds: Sequence[str] = ("rename", "silence"),
) -> Iterator[NextEditTask]:
    """Cut tasks: as many of each language and kind, spread over packages."""
    rng = random.Random(seed)  # noqa: S311  not for secrets
    by_language: dict[str, list[dict[str, Any]]] = {language: [] for language in LANGUAGES}
    for document in documents:
        if document["language"] in by_language and len(document["text"]) > _MIN_CHARACTERS:
            by_language[document["language"]].append(document)
    for language, found in by_language.items():
        if not found:
            continue
        rng.shuffle(found)
        names = sorted(
            {
                name
                for document in found[:30]
                for name in IDENTIFIER.findall(document["text"])
                if 3 <= len(name) <= 14 and not _is_keyword(language, name)  # noqa: PLR2004
            }
        )
        for make in map(MAKERS.__getitem__, kinds):
            n_made, of_package = 0, dict[str, int]()
            for document in found * 2:
                if n_made >= n_tasks // (len(kinds) * len(LANGUAGES)):
                    break
                if of_package.get(document["package"], 0) >= MAX_OF_PACKAGE:
                    continue
                if task := make(document, names, rng):
                    n_made += 1
                    of_package[document["package"]] = of_package.get(document["package"], 0) + 1
                    yield task


_MIN_CHARACTERS = 400


def _is_keyword(language: str, name: str) -> bool:
    tree = parse(language, name)
    node = tree.root_node.descendant_for_byte_range(0, len(name)) if tree else None
    return node is None or "identifier" not in node.type


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path / "documents.jsonl.gz" if path.is_dir() else path) as lines:
        for line in lines:
            yield msgspec.json.decode(line)


def main(words: list[str] | None = None) -> int:
    """Cut tasks and write them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+", help="of `remask train-data`; two releases")
    parser.add_argument("--split", choices=("train", "heldout", "all"), default="heldout")
    parser.add_argument("--releases", action="store_true", help="the corpora are two releases")
    parser.add_argument("--kinds", default=",".join(MAKERS), help="but of --releases")
    parser.add_argument("--tasks", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(words)
    if arguments.releases:
        old = {(d["package"], d["path"]): d for d in _read(arguments.corpus[0])}
        pairs = (
            (old.get((d["package"], d["path"])), d)
            for d in _read(arguments.corpus[1])
            if arguments.split in (d["split"], "all")
        )
        rng = random.Random(arguments.seed)  # noqa: S311  not for secrets
        found = [
            list(itertools.islice(real(a, b, rng), MAX_OF_FILE))
            for a, b in pairs
            if a and a["text"] != b["text"]
        ]
        tasks = [task for some in found for task in some]
        rng.shuffle(tasks)
        tasks = tasks[: arguments.tasks]
    else:
        documents = (
            d for d in _read(arguments.corpus[0]) if arguments.split in (d["split"], "all")
        )
        kinds = arguments.kinds.split(",")
        tasks = list(make_tasks(documents, arguments.tasks, arguments.seed, kinds))
    lines = b"".join(msgspec.json.encode(task) + b"\n" for task in tasks)
    arguments.out.write_bytes(gzip.compress(lines, mtime=0))
    sys.stdout.write(f"{len(tasks)} tasks\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
