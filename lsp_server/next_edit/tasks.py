"""Tasks for `remask eval next-edit`, cut out of source files by their syntax trees.

    python -m lsp_server.next_edit.tasks CORPUS --split heldout --out tasks.jsonl.gz
    python -m lsp_server.next_edit.tasks CORPUS --releases OLD NEW --out tasks.jsonl.gz

A corpus is what `remask train-data` makes: documents with their package, version and licence. The
tasks hold what the language server asks the runtime, so that measuring them needs no grammar.

    rename   a parameter, local, member or function gets another name where it is bound; wanted are
             its other mentions
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
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.next_edit.asking import build_request
from lsp_server.next_edit.changes import Change
from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.releases import real
from lsp_server.syntax.languages import parse
from model_runtime.protocol import NextEditRequest, NextEditTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsp_server.next_edit.mentions import Mention

#: Lines around which a file is cut: what is far away costs time and says little.
MAX_LINES = 500
#: The most tasks of a package, and of a file.
MAX_OF_PACKAGE, MAX_OF_FILE = 8, 2
LANGUAGES = ("python", "typescript", "go", "rust", "java", "c")
_IDENTIFIER = re.compile(r"(?<!\w)[A-Za-z_]\w+(?!\w)")
_MIN_USES, _MAX_USES = 1, 40


def rename(document: dict[str, Any], names: list[str], rng: random.Random) -> NextEditTask | None:
    """Give something of a file another name where it is bound; None where nothing fits."""
    language, text = document["language"], _cut(document["text"], rng)
    words = sorted(set(_IDENTIFIER.findall(text)))
    rng.shuffle(words)
    for word in words[:40]:
        mentions = find_mentions(language, text, word)
        bound = next((mention for mention in mentions if mention.is_binding), None)
        if bound is None:
            continue
        same = [m for m in mentions if (m.role, m.scope) == (bound.role, bound.scope)]
        others = [m for m in same if m is not bound]
        is_function = bound.role == "variable" and not bound.scope
        if is_function:
            others = [m for m in mentions if m.role == "variable" and m is not bound]
            if any(m.scope and m.is_binding for m in others):
                continue
        if same[0] is not bound or not _MIN_USES <= len(others) <= _MAX_USES:
            continue
        if sum(m.is_binding for m in same) > _MAX_BINDINGS:
            continue
        new = _other_name(word, names, rng)
        if re.search(rf"(?<!\w){new}(?!\w)", text):
            continue
        kind = "member" if bound.role == "member" else "function" if is_function else "local"
        return _task(document, text, bound, new, others, f"rename {kind}")
    return None


#: Places where a name may be bound: more, and it is a few things under one name.
_MAX_BINDINGS = 3


def silence(document: dict[str, Any], names: list[str], rng: random.Random) -> NextEditTask | None:
    """Change something that nothing else follows from; None where nothing fits."""
    language, text = document["language"], _cut(document["text"], rng)
    words = sorted(set(re.findall(r"(?<!\w)\w+(?!\w)", text)))
    rng.shuffle(words)
    kind = rng.choice(("other variable", "other variable", "literal", "prose"))
    for word in words[:80]:
        mentions = find_mentions(language, text, word)
        if len(mentions) < 2:  # noqa: PLR2004  else there is nothing to keep silent about
            continue
        if kind == "other variable":
            uses = [m for m in mentions if m.role == "variable" and m.scope and not m.is_binding]
            if not uses:
                continue
            use = rng.choice(uses)
            others = _bound_in(language, text, use, words)
            if not others:
                continue
            new = rng.choice(others)
        else:
            uses = [m for m in mentions if m.role == kind]
            if not uses:
                continue
            use = rng.choice(uses)
            if kind == "literal" and word.isdigit():
                new = str(int(word) + rng.choice((1, 2, 8)))
            elif kind == "prose" and word.isalpha():
                new = rng.choice(names)
            else:
                continue
        return _task(document, text, use, new, [], f"silence {kind}")
    return None


def _bound_in(language: str, text: str, use: Mention, words: list[str]) -> list[str]:
    """Return other words that are bound in the function of a use, before it."""
    found = []
    for word in words[:200]:
        for mention in find_mentions(language, text, word):
            if mention.is_binding and mention.scope == use.scope and mention.span < use.span:
                if text[use.span.start : use.span.end] != word:
                    found.append(word)
                break
    return found


def _task(
    document: dict[str, Any],
    text: str,
    changed: Mention,
    new: str,
    others: list[Mention],
    kind: str,
) -> NextEditTask | None:
    start, end = changed.span
    old = text[start:end]
    after = text[:start] + new + text[end:]
    shift = len(new) - (end - start)
    request = build_request(
        document["language"],
        after,
        [Change(start, old, new)],
        path=document["path"],
        document=f"{document['package']}/{document['path']}/{start}",
    )
    if request is None and others:
        # Nothing is found: that counts, too.
        request = NextEditRequest(id="", text=after, changes=(), language=document["language"])
    if request is None:
        return None
    wanted = []
    for mention in others:
        moved = shift if mention.span.start > start else 0
        put = f"{old}: {new}" if mention.is_shorthand else new
        wanted.append((mention.span.start + moved, mention.span.end + moved, put))
    return NextEditTask(
        id=f"{kind}/{document['package']}/{document['path']}/{start}",
        kind=kind,
        source=f"{document['package']} {document['version']} ({document['licence']})",
        request=msgspec.structs.replace(request, id=""),
        wanted=tuple(wanted),
    )


def _cut(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) <= MAX_LINES:
        return text
    first = rng.randrange(len(lines) - MAX_LINES)
    # From a line that begins something of the file.
    while first and (not lines[first].strip() or lines[first][0].isspace()):
        first -= 1
    return "".join(lines[first : first + MAX_LINES])


def _other_name(word: str, names: list[str], rng: random.Random) -> str:
    """Return another name in the same style: a longer or a shorter one, or some other word."""
    is_snake = "_" in word.strip("_") or word.islower()
    ways = ["other", "longer"] + (["shorter"] if "_" in word.strip("_") else [])
    way = rng.choice(ways)
    if way == "shorter":
        return rng.choice([part for part in word.split("_") if part]) + "_"[:0]
    if way == "longer":
        extra = rng.choice(("new", "raw", "base", "current", "local", "source", "extra"))
        return f"{extra}_{word}" if is_snake else extra + word[:1].upper() + word[1:]
    alike = [
        name
        for name in names
        if name.islower() == word.islower() and name[:1].islower() == word[:1].islower()
    ]
    return rng.choice(alike or names)


def make_tasks(
    documents: Iterable[dict[str, Any]], n_tasks: int, seed: int = 0
) -> Iterator[NextEditTask]:
    """Cut tasks: as many of each language, half renames, half silence, spread over packages."""
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
                for name in _IDENTIFIER.findall(document["text"])
                if 3 <= len(name) <= 14 and not _is_keyword(language, name)  # noqa: PLR2004
            }
        )
        for make in (rename, silence):
            n_made, of_package = 0, dict[str, int]()
            for document in found * 2:
                if n_made >= n_tasks // (2 * len(LANGUAGES)):
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
    parser.add_argument("--split", choices=("train", "heldout"), default="heldout")
    parser.add_argument("--releases", action="store_true", help="the corpora are two releases")
    parser.add_argument("--tasks", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(words)
    if arguments.releases:
        old = {(d["package"], d["path"]): d for d in _read(arguments.corpus[0])}
        pairs = (
            (old.get((d["package"], d["path"])), d)
            for d in _read(arguments.corpus[1])
            if d["split"] == arguments.split
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
        documents = (d for d in _read(arguments.corpus[0]) if d["split"] == arguments.split)
        tasks = list(make_tasks(documents, arguments.tasks, arguments.seed))
    lines = b"".join(msgspec.json.encode(task) + b"\n" for task in tasks)
    arguments.out.write_bytes(gzip.compress(lines, mtime=0))
    sys.stdout.write(f"{len(tasks)} tasks\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
