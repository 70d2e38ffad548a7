"""Which lines of other files are wanted at a place of a document, and how much.

The nearer to the cursor a name is used, the more what it means is wanted. Names are followed
through the imports; what a name is an instance of is taken from the text where it is plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lsp_server.project.resolve import Place, module_of, resolve
from lsp_server.project.rules import RULES
from lsp_server.project.uses import CLOSE, enclosing_type, find_type, find_uses
from lsp_server.syntax.languages import find_grammar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsp_server.project.definitions import Definition
    from lsp_server.project.index import Index
    from lsp_server.project.uses import Use

#: Names looked up for one choice, the nearest first.
MAX_NAMES = 60
#: Members shown of one type that are not used close to the cursor.
MAX_MEMBERS = 8
#: A name without an import is looked up in the workspace from so many characters on.
_MIN_GUESSED = 4
#: How much less than what is imported a guess counts.
_GUESSED = 0.5
#: Types up from which members come, and files beside one that may hold members of its types.
_MAX_BASES, _MAX_BESIDE = 3, 30
CONSTRUCTORS = frozenset({"__init__", "constructor", "new", "New"})


class Line(NamedTuple):
    """One signature as it is shown."""

    path: str
    #: The signature of the type that it is a member of; empty for the file's own.
    above: str
    text: str
    #: Where it stands in its file.
    start: int


@dataclass(frozen=True)
class Document:
    """A document and a place in it."""

    index: Index
    path: str
    language: str
    text: str
    #: In characters.
    at: int


def comment_of(language: str) -> str:
    """Return what begins a comment up to the line's end."""
    grammar = find_grammar(language)
    rules = RULES.get(grammar.module) if grammar else None
    return rules.comment if rules else "#"


def as_said(definition: Definition, comment: str) -> str:
    """Return a definition in one line."""
    doc = f"  {comment} {definition.doc}" if definition.doc else ""
    return definition.signature + doc


def find_wanted(document: Document) -> dict[Line, float]:
    """Return what may be shown and how much it is wanted, the most wanted first."""
    weights = _Wanted(document).weights()
    return dict(sorted(weights.items(), key=lambda pair: (-pair[1], pair[0])))


class _Wanted:
    """Finds what is wanted at one place."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._index = document.index
        self._facts = document.index.facts(document.path)
        self._comment = comment_of(document.language)
        self._own = {one.name for one in self._facts.definitions}
        self._weights: dict[Line, float] = {}

    def weights(self) -> dict[Line, float]:
        """Return every line with its weight."""
        document = self._document
        imported = [one.local for one in self._facts.imports if one.local]
        uses = find_uses(document.text, document.at, imported)
        n_found = 0
        for use in sorted(uses.values(), key=lambda use: -use.weight):
            if n_found == MAX_NAMES:
                break
            n_found += self._add_use(use)
        around = enclosing_type(self._facts, document.text, document.at)
        for one in self._facts.named(around) if around else ():
            for base in one.bases:
                for place, share in self._meant(base):
                    self._add(place, CLOSE * share)
        return self._weights

    def _add_use(self, use: Use) -> bool:
        """Add what one name means; return whether it means something of another file."""
        found = self._meant(use.name)
        for place, share in found:
            self._add(place, use.weight * share, use.members)
        path, language = self._document.path, self._document.language
        for file in module_of(self._index, path, language, self._facts, use.name):
            self._add_module(file, use)
        if use.members and not found and use.weight >= CLOSE:
            for place in self._instance(use.name):
                self._add(place, use.weight * _GUESSED, use.members)
        return bool(found)

    def _add_module(self, file: str, use: Use) -> None:
        """Add what is asked of a module, and where nothing is asked yet, what it has."""
        inside = self._index.facts(file)
        for member, weight in use.members.items():
            for one in inside.named(member) if member else ():
                self._add(Place(file, one), weight)
        if "" in use.members:
            for one in inside.definitions:
                if not one.owner and not one.name.startswith("_"):
                    self._add(Place(file, one), use.members[""] * _GUESSED)

    def _add(self, place: Place, weight: float, members: dict[str, float] | None = None) -> None:
        for line, share in self._lines(place, members or {}):
            if line.path != self._document.path:
                self._weights[line] = max(self._weights.get(line, 0.0), weight * share)

    def _lines(self, place: Place, members: dict[str, float]) -> Iterator[tuple[Line, float]]:
        """Yield a definition as it is shown, and of a type its members, each with its share."""
        path, definition = place
        head = as_said(definition, self._comment)
        yield Line(path, "", head, definition.start), 1.0
        if definition.kind != "type":
            return
        n_others = 0
        for one in self._members(path, definition.name):
            is_used = one.name in members
            is_first = one.name in CONSTRUCTORS or one.name == definition.name
            if not (is_used or is_first):
                n_others += 1
                if one.name.startswith("_") or n_others > MAX_MEMBERS:
                    continue
            share = 1.0 if is_used else 0.9 if is_first else 0.8 if "" in members else 0.4
            yield Line(path, head, as_said(one, self._comment), one.start), share

    def _members(self, path: str, name: str) -> list[Definition]:
        found = self._index.facts(path).members(name)
        if path.endswith(".go"):
            # Methods may stand in any file of the package.
            beside = self._index.within(path.rpartition("/")[0])[:_MAX_BESIDE]
            for file in beside:
                found += self._index.facts(file).members(name) if file != path else []
        return found

    def _meant(self, name: str) -> list[tuple[Place, float]]:
        """Return what a name means that other files define, and how sure that is."""
        path, language = self._document.path, self._document.language
        if name in self._own:
            return []
        found = resolve(self._index, path, language, self._facts, name)
        if found:
            return [(place, 1.0) for place in found[:2]]
        # In Rust modules hand names on in ways that are not followed here.
        if language != "rust" and any(one.local == name for one in self._facts.imports):
            # It comes from outside of the workspace.
            return []
        if len(name) < _MIN_GUESSED or not (name[0].isupper() or "_" in name):
            return []
        files = [one for one in self._index.defining(name) if one != path and _same(one, path)]
        if len(files) != 1:
            return []
        return [
            (Place(files[0], one), _GUESSED) for one in self._index.facts(files[0]).named(name)[:1]
        ]

    def _instance(self, name: str) -> Iterator[Place]:
        """Yield the type that a name is an instance of, and those it extends."""
        written = find_type(name, self._document.text, self._document.at, self._facts)
        seen: set[str] = set()
        waiting = [written] if written else []
        while waiting and len(seen) <= _MAX_BASES:
            one = waiting.pop(0)
            if one in seen:
                continue
            seen.add(one)
            local = [each for each in self._facts.named(one) if each.kind == "type"]
            waiting += [base for each in local for base in each.bases]
            for place, _ in () if local else self._meant(one):
                if place.definition.kind == "type":
                    yield place
                elif place.definition.type:
                    # What makes it was found, and says what it gives.
                    waiting.append(place.definition.type.lstrip("*&").rpartition(".")[2])


def _same(path: str, other: str) -> bool:
    """Return whether two files are of one language, by their suffixes."""
    kinds = [one.rpartition(".")[2].removesuffix("x") for one in (path, other)]
    return len({"ts" if kind in ("js", "mjs", "cjs", "mts") else kind for kind in kinds}) == 1
