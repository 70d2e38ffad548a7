"""What a file defines: names, signatures and what is said of them, by its syntax tree.

Only what other files can name is looked at: the file's own level, and the members of its types.
What stands in the bodies of functions is passed over, but for the attributes that a constructor
gives its object.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lsp_server.project.parts import body_of, first_of, name_of, value_of
from lsp_server.project.rules import RULES, Kind, Rules
from lsp_server.syntax.languages import find_grammar, parse_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

#: A longer signature or value says less than the room it takes.
MAX_SIGNATURE = 300
MAX_VALUE = 80
MAX_DOC = 100
#: Of the processor, for parsing one file: code takes a tenth of that.
MAX_SECONDS = 0.5
#: Definitions of one file: more, and it is made by a program.
MAX_OF_FILE = 2000
_MAX_DEPTH = 6
_PATH = re.compile(r"::|[.:]")
_NAME = re.compile(r"[A-Za-z_$]\w*")
_FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
_STRING_MARKS = re.compile(r"\A\w{0,2}[\"']+|[\"']+\Z")
_TYPE_FIELDS = ("return_type", "result", "type")
_BASE_FIELDS = ("superclasses", "superclass", "interfaces", "trait", "bounds")
_BASE_NODES = frozenset({"class_heritage", "base_class_clause", "extends_type_clause"})
_COMMENT_MARKS = re.compile(r"\A(?:/\*+!?|//[/!]?|--+\[*|#+!?)|\*+/\Z|\A\*+")
_SPACES = re.compile(r"\s+")
#: A name after brackets or a dot's blank: what collapsing lines leaves behind.
_LOOSE = re.compile(r"(?<=[(\[]) | (?=[)\]])|,(?= ?[)\]])")


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """Something with a name."""

    name: str
    kind: Kind
    #: The type it is a member of; empty for the file's own.
    owner: str
    #: In one line, without its body.
    signature: str
    #: The first line of what is said of it; may be empty.
    doc: str
    #: What it is an instance of, or returns, as it is written; may be empty.
    type: str
    #: Of a type: what it extends, as written.
    bases: tuple[str, ...]
    #: Bytes of UTF-8 in the file.
    start: int
    end: int


def find_definitions(language: str, text: str) -> list[Definition]:
    """Return what a text defines, in order.

    Nothing where the language has no grammar, or the grammar can't make anything of it in time.
    """
    parsed = _parsed(language, text)
    return [*islice(parsed[0].within(parsed[1], "", 0), MAX_OF_FILE)] if parsed else []


def find_names(language: str, text: str) -> tuple[str, ...]:
    """Return the names of a file's own level: a quarter less work than all of `find_definitions`.

    One whose signature is too long to be shown is among them.
    """
    parsed = _parsed(language, text)
    found = islice(parsed[0].names(parsed[1], 0), MAX_OF_FILE) if parsed else ()
    return tuple(dict.fromkeys(found))


def _parsed(language: str, text: str) -> tuple[_Reader, Node] | None:
    grammar, tree = find_grammar(language), parse_within(language, text, MAX_SECONDS)
    rules = RULES.get(grammar.module) if grammar else None
    if rules is None or tree is None:
        return None
    return _Reader(rules, text.encode("utf-8")), tree.root_node


class _Named(NamedTuple):
    """What a node defines, before more of it is looked at."""

    name: str
    #: The type it is a member of; empty for the file's own.
    owner: str
    value: Node | None


class _Reader:
    """Reads one file."""

    def __init__(self, rules: Rules, data: bytes) -> None:
        self._rules = rules
        self._data = data

    def within(self, node: Node, owner: str, depth: int) -> Iterator[Definition]:
        """Yield the definitions among a node's children."""
        if depth > _MAX_DEPTH:
            return
        for child in node.named_children:
            kind = self._rules.kinds.get(child.type)
            if kind is not None:
                yield from self._defined(child, kind, owner, depth)
            elif child.type in self._rules.wrappers:
                yield from self.within(child, owner, depth + 1)
            elif child.type in self._rules.owners:
                of = child.child_by_field_name(self._rules.owners[child.type])
                body = child.child_by_field_name("body")
                if of is not None and body is not None:
                    yield from self.within(body, _first_name(self._text(of)), depth + 1)

    def names(self, node: Node, depth: int) -> Iterator[str]:
        """Yield the names of a file's own level among a node's children."""
        if depth > _MAX_DEPTH:
            return
        for child in node.named_children:
            if child.type in self._rules.kinds:
                if (named := self._named(child, "")) and not named.owner:
                    yield named.name
            elif child.type in self._rules.wrappers:
                yield from self.names(child, depth + 1)

    def _named(self, node: Node, around: str) -> _Named | None:
        """Return what a node defines within a type; None for nothing that has a name."""
        named = name_of(node)
        written = self._text(named) if named is not None else ""
        # `M.area` and `Shape::area` are members of what stands before.
        *path, name = _PATH.split(written)
        value = value_of(node)
        if not _NAME.fullmatch(name.lstrip("#~")) or not self._counts(node, path, name, value):
            return None
        return _Named(name, self._owner(node, path, around), value)

    def _defined(self, node: Node, kind: Kind, owner: str, depth: int) -> Iterator[Definition]:
        if (named := self._named(node, owner)) is None:
            return
        name, owner, value = named
        if value is not None and value.type in _FUNCTIONS:
            kind = "type" if value.type == "class" else "function"
        body = body_of(node) or (body_of(value) if value is not None else None)
        if kind == "value" and body is not None:
            kind = "type"
        signature = self._signature(node, value, body, kind)
        if signature:
            yield Definition(
                name=name,
                kind=kind,
                owner=owner,
                signature=signature,
                doc=self._doc(node, body),
                type="" if kind == "type" else self._type(node, value),
                bases=tuple(self._bases(node)) if kind == "type" else (),
                start=node.start_byte,
                end=node.end_byte,
            )
        if kind == "type" and body is not None and not owner:
            yield from self.within(body, name, depth + 1)
        if kind == "function" and owner and name in ("__init__", "constructor") and body:
            yield from self._attributes(body, owner)

    def _counts(self, node: Node, path: list[str], name: str, value: Node | None) -> bool:
        """Return whether an assignment defines something, and does not import or export it."""
        if value is not None and self._text(value).startswith(("require(", "require ")):
            return False
        is_code = value is not None and value.type in _FUNCTIONS
        is_definition = bool(path) and (name != "exports" or is_code)
        return node.type != "assignment_expression" or is_definition

    def _owner(self, node: Node, path: list[str], around: str) -> str:
        """Return the type that a definition is a member of."""
        if receiver := node.child_by_field_name("receiver"):
            return _first_name(self._text(receiver).rpartition(" ")[2])
        if path:
            return "" if path[-1] in ("exports", "module", "M", "_M") else path[-1]
        return around

    def _signature(self, node: Node, value: Node | None, body: Node | None, kind: Kind) -> str:
        end, first = body.start_byte if body is not None else node.end_byte, node
        while body is not None and (before := body.prev_sibling) and "comment" in before.type:
            body, end = before, before.start_byte
        if node.type == "variable_declarator" and node.parent is not None:
            # With its `const`, unless it is one of several.
            first = node.parent if first_of(node.parent) == node else node
        text = self._data[first.start_byte : end].decode("utf-8", "replace")
        if kind == "value" and value is not None and value.end_byte - value.start_byte > MAX_VALUE:
            text = self._data[first.start_byte : value.start_byte].decode("utf-8", "replace")
        text = _LOOSE.sub("", _SPACES.sub(" ", text)).strip()
        if kind != "value":
            text = text.removesuffix("=>").removesuffix(" end").rstrip().rstrip("{:").rstrip()
        text = text.rstrip(";,").removesuffix("=").rstrip()
        return text if len(text) <= MAX_SIGNATURE else ""

    def _type(self, node: Node, value: Node | None) -> str:
        for one in (node, value):
            for name in _TYPE_FIELDS if one is not None else ():
                found = one.child_by_field_name(name) if one is not None else None
                if found is not None and found.child_by_field_name("body") is None:
                    return self._text(found).lstrip(": ->")[:MAX_VALUE]
        if value is not None and value.type in ("call", "call_expression", "new_expression"):
            called = value.child_by_field_name("function")
            called = called or value.child_by_field_name("constructor")
            name = self._text(called) if called is not None else ""
            return name if name[:1].isupper() else ""
        return ""

    def _bases(self, node: Node) -> Iterator[str]:
        found = [node.child_by_field_name(name) for name in _BASE_FIELDS]
        found += [child for child in node.named_children if child.type in _BASE_NODES]
        for one in found:
            if one is not None:
                for name in re.findall(r"[A-Za-z_][\w.]*", self._text(one)):
                    if name not in ("extends", "implements", "public", "private", "virtual"):
                        yield name

    def _doc(self, node: Node, body: Node | None) -> str:
        first = first_of(body) if body is not None else None
        if first is not None and self._rules.comment == "#":
            said = first_of(first) if first.type == "expression_statement" else first
            if said is not None and said.type == "string":
                return _first_line(_STRING_MARKS.sub("", self._text(said)))
        around = node
        while around.parent is not None and around.parent.type in self._rules.wrappers:
            if first_of(around.parent) != around or around.parent.type == "block":
                break
            around = around.parent
        below, comment = around, around.prev_named_sibling
        while comment is not None and comment.type == "attribute_item":
            below, comment = comment, comment.prev_named_sibling
        lines: list[str] = []
        while (
            comment is not None
            and "comment" in comment.type
            and below.start_point.row - comment.end_point.row <= 1
        ):
            lines.insert(0, self._text(comment))
            if lines[0].startswith("/*"):
                break
            below, comment = comment, comment.prev_named_sibling
        return _first_line("\n".join(lines))

    def _attributes(self, body: Node, owner: str) -> Iterator[Definition]:
        """Yield what a constructor gives its object: `self.x = ...`, `this.x = ...`."""
        for statement in body.named_children:
            inner = first_of(statement)
            if inner is None or inner.type not in ("assignment", "assignment_expression"):
                continue
            left, value = inner.child_by_field_name("left"), inner.child_by_field_name("right")
            target = self._text(left) if left is not None else ""
            of, _, name = target.partition(".")
            if of not in ("self", "this") or not _NAME.fullmatch(name) or name.startswith("_"):
                continue
            typed = self._type(inner, value)
            yield Definition(
                name=name,
                kind="value",
                owner=owner,
                signature=f"{name}: {typed}" if typed else name,
                doc="",
                type=typed,
                bases=(),
                start=inner.start_byte,
                end=inner.end_byte,
            )

    def _text(self, node: Node) -> str:
        return self._data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _first_name(text: str) -> str:
    found = _NAME.search(text)
    return found.group() if found else ""


def _first_line(text: str) -> str:
    """Return the first line that says something, without the marks of comments."""
    for line in text.splitlines():
        said = line.strip()
        while (bare := _COMMENT_MARKS.sub("", said).strip()) != said:
            said = bare
        if said and not said.startswith(("@", "eslint", "noqa", "type:")):
            return said[:MAX_DOC].rstrip()
    return ""
