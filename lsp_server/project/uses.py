"""Which names a file uses near the cursor, and what they are instances of where that is plain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsp_server.project.index import Facts

_WORD = re.compile(r"(?<![\w$])[A-Za-z_$][\w$]*")
#: A name and what is asked of it.
_MEMBER = re.compile(
    r"(?<![\w$])((?:self\.|this\.|this->)?[A-Za-z_$][\w$]*+)(?:\?\.|\.|->|::|:)([A-Za-z_$]\w*+)?"
)
#: Up to so many lines from the cursor a name counts as much. What is farther away counts least.
_NEAR = ((0, 8.0), (3, 4.0), (12, 2.0), (40, 1.0))
FAR = 0.5
#: What is imported and not yet used is about to be.
UNUSED = 3.0
#: From this weight on a name is one of those that are being written about.
CLOSE = 2.0
#: A longer name of a type is none.
_TYPE = r"([A-Za-z_][\w.:]*)"
_MAKES = r"(?:await\s+|new\s+|&(?:mut\s+)?)*"
#: How a line says what a name is an instance of, the plainest first.
_SAYS_TYPE = (
    # A name and its type, as in Python, TypeScript and Rust.
    rf"(?<![\w$]){{name}}\??\s*:\s*&?(?:mut\s+)?(?:Optional\[)?{_TYPE}",
    # name = Type(...), name := new Type{{...}}
    rf"(?<![\w$]){{name}}\s*(?::\s*[^=\n]+)?:?=\s*{_MAKES}{_TYPE}\s*[({{{{<]",
    # with Type(...) as name
    rf"{_MAKES}{_TYPE}\([^\n]*\)\s+as\s+{{name}}\b",
    # Type name = ...;
    rf"(?<![\w$.]){_TYPE}\s*(?:<[^<>\n]*>)?[*&\s]\s*{{name}}\s*[=;,)]",
    # name *Type,
    rf"(?<![\w$]){{name}}\s+\*?{_TYPE}\s*[,)]",
)


class Use(NamedTuple):
    """A name, and how near to the cursor it is used."""

    name: str
    weight: float
    #: Members that are asked of it, with their own weights.
    members: dict[str, float]


def find_uses(text: str, at: int, imported: Sequence[str]) -> dict[str, Use]:
    """Return the names that a text uses, each with the weight of its use nearest to the cursor.

    Args:
        text: the document.
        at: the cursor, in characters.
        imported: names that the text takes from other files.
    """
    lines, here = text.split("\n"), text.count("\n", 0, at)
    uses: dict[str, Use] = {}
    for number, line in enumerate(lines):
        weight = _weight(abs(number - here))
        is_import = _IMPORT.match(line) is not None
        for word in set(_WORD.findall(line)):
            known = uses.get(word)
            own = FAR / 2 if is_import else weight
            if known is None or own > known.weight:
                uses[word] = Use(word, own, known.members if known else {})
        for found in _MEMBER.finditer(line):
            name, member = found[1], found[2] or ""
            use = uses.setdefault(name, Use(name, weight, {}))
            use.members[member] = max(use.members.get(member, 0.0), weight)
    for name in imported:
        only = uses.get(name)
        if only is not None and only.weight < FAR and _only_imported(name, lines):
            uses[name] = only._replace(weight=UNUSED)
    return uses


_IMPORT = re.compile(
    r"\s*(?:from|import|export|use|pub use|#\s*include|package)\b|.*\brequire\s*\("
)


def _only_imported(name: str, lines: Sequence[str]) -> bool:
    word = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    return sum(len(word.findall(line)) for line in lines) == 1


def _weight(distance: int) -> float:
    return next((weight for lines, weight in _NEAR if distance <= lines), FAR)


def find_type(name: str, text: str, at: int, facts: Facts) -> str:
    """Return what a name is an instance of, as it is written nearest before the cursor; else empty.

    What `self` and `this` have is looked up in the type around the cursor.
    """
    of, dot, attribute = re.sub(r"->", ".", name).partition(".")
    if of in ("self", "this", "cls"):
        around = enclosing_type(facts, text, at)
        if not dot:
            return around
        own = facts.named(attribute, around)
        return _plain(own[0].type) if own else ""
    for line in reversed(text[:at].split("\n")):
        if name in line and (written := _written_type(name, line)):
            return _plain(written)
    return ""


def _written_type(name: str, line: str) -> str:
    """Return what a line says that a name is an instance of; else empty.

    Looked at is what stands around the name: a line may be as long as a file.
    """
    patterns = [re.compile(pattern.format(name=re.escape(name))) for pattern in _SAYS_TYPE]
    at = -1
    for _ in range(_MAX_SAID):
        at = line.find(name, at + 1)
        if at < 0:
            break
        around = line[max(0, at - _AROUND_NAME) : at + len(name) + _AROUND_NAME]
        for pattern in patterns:
            if found := pattern.search(around):
                return found[1]
    return ""


#: Of one line, so many mentions of a name are looked at, with so many characters around each.
_MAX_SAID, _AROUND_NAME = 4, 100


def enclosing_type(facts: Facts, text: str, at: int) -> str:
    """Return the type in whose body the cursor stands; else empty."""
    here = at if text.isascii() else len(text[:at].encode("utf-8", "replace"))
    found = ""
    for one in facts.definitions:
        if one.kind == "type" and one.start <= here <= one.end + 1:
            found = one.name
        elif one.kind == "function" and one.owner and one.start <= here <= one.end + 1:
            found = one.owner
    return found or next(
        (
            one.name
            for one in reversed(facts.definitions)
            if one.kind == "type" and one.start < here
        ),
        "",
    )


def type_names(written: str) -> Iterator[str]:
    """Yield the names in a type as it is written, e.g. `Promise<Circle | null>`, the inner last."""
    yield from re.findall(r"[A-Za-z_]\w*", written)


def _plain(written: str) -> str:
    """Return the one name that a written type is about."""
    names = [one for one in type_names(written) if one not in _AROUND]
    return names[-1] if names else ""


_AROUND = frozenset(
    [
        "Optional",
        "Promise",
        "Option",
        "Result",
        "Box",
        "Rc",
        "Arc",
        "Vec",
        "List",
        "list",
        "Sequence",
        "Iterable",
        "Awaitable",
        "Type",
        "type",
        "Readonly",
        "Partial",
        "Array",
        "Set",
        "Map",
        "dict",
        "None",
        "null",
        "undefined",
        "string",
        "number",
        "boolean",
        "str",
        "int",
        "float",
        "bool",
        "void",
        "any",
        "unknown",
        "mut",
        "const",
        "return",
        "let",
        "var",
        "self",
        "Self",
        "await",
        "new",
        "async",
        "not",
        "in",
        "is",
        "and",
        "or",
        "if",
        "else",
        "for",
        "while",
        "yield",
        "raise",
        "throw",
        "case",
    ]
)
