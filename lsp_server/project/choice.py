"""Which definitions of other files are shown to the model, and in which order.

Shown are signatures, each with the first line of what is said of it. Whoever types on is shown the
same from key to key, so that it need not be encoded again: what was shown stays, in its order,
until something that is missing is used close to the cursor; then that comes last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.project.uses import CLOSE
from lsp_server.project.wanted import (
    CONSTRUCTORS,
    Document,
    Line,
    as_said,
    comment_of,
    find_wanted,
)
from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsp_server.project.index import Index

_INDENT = "    "


def choose(document: Document, n_bytes: int, standing: Sequence[Line] = ()) -> list[Line]:
    """Return the lines to show, in the order in which they are shown.

    Args:
        document: one of the index's open ones, and where in it the cursor is.
        n_bytes: the most that all that is shown may have, in UTF-8.
        standing: what was shown last in this document.
    """
    weights = find_wanted(document)
    close = [line for line, weight in weights.items() if weight >= CLOSE]
    kept = [line for line in standing if line in weights or _holds(document, line)]
    wanted = _fitting(close, n_bytes)
    if standing and len(kept) == len(standing) and set(kept).issuperset(wanted):
        return list(standing)
    others = sorted(
        (line for line in {*weights, *kept} if line not in wanted),
        key=lambda line: (-weights.get(line, 0.0), line.path, line.start),
    )
    chosen = set(_fitting([*wanted, *others], n_bytes))
    first = [line for line in kept if line in chosen]
    paths = list(dict.fromkeys(line.path for line in first))
    nearest: dict[str, float] = {}
    for line in chosen.difference(first):
        nearest[line.path] = max(nearest.get(line.path, 0.0), weights.get(line, 0.0))
    paths += sorted(nearest.keys() - set(paths), key=lambda path: (nearest[path], path))
    return sorted(chosen, key=lambda line: (paths.index(line.path), line.start))


def laid_out(lines: Sequence[Line]) -> list[ContextFile]:
    """Return the lines as files with nothing else in them, what is shown last first."""
    files: dict[str, list[str]] = {}
    above = ("", "")
    for line in lines:
        shown = files.setdefault(line.path, [])
        if line.above and (line.path, line.above) != above:
            shown.append(line.above)
        shown.append(_INDENT + line.text if line.above else line.text)
        # Behind the head of a type its members may follow.
        above = line.path, line.above or line.text
    return [
        ContextFile(path=path, text="\n".join(shown) + "\n")
        for path, shown in reversed(files.items())
    ]


def said(index: Index, path: str, name: str, owner: str, language: str) -> str:
    """Return one definition as it is shown, under its type's head; a type with its constructor."""
    facts, comment = index.facts(path), comment_of(language)
    lines = [as_said(one, comment) for one in facts.named(owner)[:1]] if owner else []
    lines += [_INDENT * bool(owner) + as_said(one, comment) for one in facts.named(name, owner)[:1]]
    makers = [one for one in facts.members(name) if one.name in (*CONSTRUCTORS, name)]
    lines += [_INDENT + as_said(one, comment) for one in makers[:1]]
    return "\n".join(lines) + "\n"


def _fitting(lines: Iterable[Line], n_bytes: int) -> list[Line]:
    """Return the first lines that fit, with the heads that they need."""
    found: dict[Line, None] = {}
    headed: set[tuple[str, str]] = set()
    for line in lines:
        cost = len(line.text.encode()) + 1 + (len(_INDENT) if line.above else 0)
        cost += 0 if any(path == line.path for path, _ in headed) else len(line.path.encode()) + 1
        if line.above and (line.path, line.above) not in headed:
            cost += len(line.above.encode()) + 1
        if cost > n_bytes or line in found:
            continue
        n_bytes -= cost
        found[line] = None
        headed |= {(line.path, line.above), (line.path, "" if line.above else line.text)}
    return list(found)


def _holds(document: Document, line: Line) -> bool:
    """Return whether a line is still what its file says."""
    facts, comment = document.index.facts(line.path), comment_of(document.language)
    heads = {one.name: as_said(one, comment) for one in facts.definitions if one.kind == "type"}
    return any(
        as_said(one, comment) == line.text
        and (not line.above or heads.get(one.owner) == line.above)
        for one in facts.definitions
    )
