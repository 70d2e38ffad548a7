"""Functions with their parameters, and where they are called, as far as a syntax tree can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.source import above

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsp_server.documents import Span
    from lsp_server.next_edit.source import Source

_LISTS = frozenset({"parameters", "formal_parameters", "parameter_list"})
_ARGUMENTS = frozenset({"arguments", "argument_list"})
_SELF = frozenset({"self", "cls", "this", "&self", "&mut self", "mut self"})
_CLASSES = ("class", "impl_item", "interface", "trait")
_CONSTRUCTORS = frozenset({"__init__", "constructor"})
_SPREAD = ("splat", "spread", "variadic", "rest_", "vararg")
#: Fields in which a call has the name of what it calls.
_CALLED = ("function", "constructor", "name", "type")


@dataclass(frozen=True)
class Parameter:
    """One of a function's parameters."""

    name: str
    is_optional: bool = False
    is_spread: bool = False
    #: Whether it is handed over by its name alone.
    is_labelled: bool = False


@dataclass(frozen=True)
class Function:
    """A function, as its list of parameters shows it."""

    name: str
    parameters: tuple[Parameter, ...]
    #: Whether it belongs to a class, and whether that is called to make one.
    is_member: bool
    is_constructor: bool
    #: Where the list of its parameters stands, and each of them.
    span: Span
    spans: tuple[Span, ...]


def function_at(source: Source, start: int, end: int) -> Function | None:
    """Return the function in whose list of parameters a stretch stands."""
    node = source.node_at(start, end)
    while node is not None and node.type not in _LISTS:
        node = node.parent
    parent = node.parent if node is not None else None
    if node is None or parent is None or parent.child_by_field_name("parameters") != node:
        return None
    span = source.span(node)
    named = name_of(parent)
    if named is None or not span.start < start <= end < span.end:
        return None
    classes = [one for one in above(parent) if any(kind in one.type for kind in _CLASSES)]
    owner, _, name = source.said(named).rpartition(".")
    is_constructor = False
    if name in _CONSTRUCTORS or parent.type == "constructor_declaration":
        of = classes[0].child_by_field_name("name") if classes else None
        if of is None:
            return None
        name, is_constructor = source.said(of), True
    found = list(_parameters(source, node))
    parameters, spans = tuple(one for one, _ in found), tuple(span for _, span in found)
    is_member = bool(owner) or parent.type in ("method_declaration", "method_definition")
    if classes and not any("function" in one.type for one in _up_to(parent, classes[0])):
        is_member = True
    return Function(name, parameters, is_member, is_constructor, span, spans)


def _up_to(node: Node, end: Node) -> Iterator[Node]:
    for around in above(node):
        if around == end:
            return
        yield around


def name_of(function: Node) -> Node | None:
    """Return the node of a function's name; what a value is bound to names it, too."""
    for field in ("name", "declarator"):
        if (named := function.child_by_field_name(field)) is not None:
            return named
    parent = function.parent
    if parent is not None and parent.type in ("variable_declarator", "assignment"):
        return parent.child_by_field_name("name") or parent.child_by_field_name("left")
    return None


def _parameters(source: Source, node: Node) -> Iterator[tuple[Parameter, Span]]:
    is_labelled = False
    for child in node.named_children:
        if child.type == "keyword_separator" or source.said(child) == "*":
            is_labelled = True
            continue
        if "comment" in child.type or child.type == "positional_separator":
            continue
        if "self" in child.type or source.said(child) in _SELF:
            continue
        is_spread = any(kind in child.type for kind in _SPREAD)
        is_spread = is_spread or any(
            any(kind in inner.type for kind in _SPREAD) for inner in child.named_children
        )
        is_optional = (
            "default" in child.type
            or child.type in ("optional_parameter", "assignment_pattern")
            or child.child_by_field_name("value") is not None
        )
        names = child.children_by_field_name("name") or [_innermost(child)]
        for name in names:
            parameter = Parameter(source.said(name), is_optional, is_spread, is_labelled)
            yield parameter, source.span(child)


def _innermost(node: Node) -> Node:
    """Return the node of what a parameter is named by."""
    for field in ("pattern", "left", "declarator"):
        if (inner := node.child_by_field_name(field)) is not None:
            return _innermost(inner)
    if "identifier" in node.type:
        return node
    return next((one for one in node.named_children if one.type == "identifier"), node)


def calls_of(source: Source, function: Function) -> Iterator[tuple[Node, bool]]:
    """Yield the calls of a function, as far as a name tells, and whether it does for sure."""
    mentions = find_mentions(source.language, source.text, function.name)
    bound_in = {one.scope for one in mentions if one.is_binding and one.scope}
    is_open = {one.span for one in mentions if function.is_member or one.scope not in bound_in}
    for node in source.named(function.name):
        if source.span(node) not in is_open:
            continue
        for around in above(node):
            if around.child_by_field_name("arguments") is not None:
                called = next(filter(None, map(around.child_by_field_name, _CALLED)), None)
                if called is not None and _is_called(function, called, node):
                    yield around, _is_own(source, function, called, node)
                break


def _is_called(function: Function, called: Node, node: Node) -> bool:
    is_whole = called == node
    if called.parent is not None and called.parent.type == "method_invocation":
        is_whole = called.parent.child_by_field_name("object") is None
        return called == node and (function.is_member or is_whole)
    if function.is_constructor or not function.is_member:
        return is_whole
    return not is_whole and called.end_byte == node.end_byte


def _is_own(source: Source, function: Function, called: Node, node: Node) -> bool:
    """Say whether what is called is a plain function, or a method on its own object."""
    of_call = called.parent.child_by_field_name("object") if called.parent is not None else None
    objects = called.named_children[:1] if called != node else [of_call] if of_call else []
    return not function.is_member or all(source.said(one) in _SELF for one in objects)


def arguments_of(source: Source, call: Node) -> list[Node] | None:
    """Return the arguments of a call; None where it is none of the plain kind."""
    node = call.child_by_field_name("arguments")
    if node is None or node.type not in _ARGUMENTS or not source.said(node).startswith("("):
        return None
    found = [one for one in node.named_children if "comment" not in one.type]
    if len(found) < node.named_child_count:
        return None
    if any(any(kind in one.type for kind in _SPREAD) for one in found):
        return None
    return found


def label_of(source: Source, argument: Node) -> str:
    """Return the name by which an argument is handed over; empty where it is its place."""
    name = argument.child_by_field_name("name") if "keyword" in argument.type else None
    return source.said(name) if name is not None else ""
