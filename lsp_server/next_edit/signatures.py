"""What follows from another list of parameters: the calls, which hand too much or too little over.

A parameter was put in, taken out, or two have changed their order; the arguments of the calls in
the file follow, by their places or by their names. What is handed over to a new parameter nobody
knows: the model is to say. One that has a default needs nothing. Where a call spreads a list, or a
call's arguments don't fit the old parameters either, it is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.next_edit.changes import meant
from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.places import Candidates, Put
from lsp_server.next_edit.source import Source, above

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from lsp_server.next_edit.changes import Change

_LISTS = frozenset({"parameters", "formal_parameters", "parameter_list"})
_ARGUMENTS = frozenset({"arguments", "argument_list"})
_SELF = frozenset({"self", "cls", "this", "&self", "&mut self", "mut self"})
_CLASSES = ("class", "impl_item", "interface", "trait")
_CONSTRUCTORS = frozenset({"__init__", "constructor"})
_SPREAD = ("splat", "spread", "variadic", "rest_", "vararg")
#: Fields in which a call has the name of what it calls.
_CALLED = ("function", "constructor", "name", "type")
#: Calls that are put right together.
MAX_CALLS = 40


@dataclass(frozen=True)
class Parameter:
    """One of a function's parameters."""

    name: str
    is_optional: bool = False
    is_spread: bool = False
    #: Whether it is handed over by its name alone.
    is_labelled: bool = False


@dataclass(frozen=True)
class _Function:
    name: str
    parameters: tuple[Parameter, ...]
    #: Whether it belongs to a class, and whether that is called to make one.
    is_member: bool
    is_constructor: bool
    #: Where the list of its parameters stands.
    span: Span


def follow_signature(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the calls that another list of parameters asks something of.

    Of a method those are a group apart that are made on some other object than its own.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
    """
    if len(changes) != 1:
        return []
    (change,) = changes
    source = Source(language, text)
    before = Source(language, text[: change.start] + change.old + text[change.end :])
    now = _function(source, change.start, change.end)
    was = _function(before, change.start, change.start + len(change.old))
    if now is None or was is None or now.name != was.name or now.span.start != was.span.start:
        return []
    if any(one.is_spread for one in (*was.parameters, *now.parameters)):
        return []
    own = list(_declared_again(source, now, before.text[was.span.start : was.span.end]))
    others = list[Put]()
    for n_calls, (call, is_own) in enumerate(_calls(source, now)):
        if n_calls == MAX_CALLS:
            return []
        arguments = _arguments(source, call)
        if arguments is not None and not _overlaps(source.span(call), change.span):
            puts = _followed(source, call, arguments, was.parameters, now.parameters)
            (own if is_own else others).extend(puts)
    groups = (own, False), (others, True)
    return [Candidates.of(puts, is_bound=True, is_loose=loose) for puts, loose in groups if puts]


def _overlaps(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _function(source: Source, start: int, end: int) -> _Function | None:
    """Return the function in whose list of parameters a stretch stands."""
    node = source.node_at(start, end)
    while node is not None and node.type not in _LISTS:
        node = node.parent
    parent = node.parent if node is not None else None
    if node is None or parent is None or parent.child_by_field_name("parameters") != node:
        return None
    span = source.span(node)
    named = _name_node(parent)
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
    parameters = tuple(_parameters(source, node))
    is_member = bool(owner) or parent.type in ("method_declaration", "method_definition")
    if classes and not any("function" in one.type for one in _up_to(parent, classes[0])):
        is_member = True
    return _Function(name, parameters, is_member, is_constructor, span)


def _up_to(node: Node, end: Node) -> Iterator[Node]:
    for around in above(node):
        if around == end:
            return
        yield around


def _name_node(function: Node) -> Node | None:
    """Return the node of a function's name; what a value is bound to names it, too."""
    for field in ("name", "declarator"):
        if (named := function.child_by_field_name(field)) is not None:
            return named
    parent = function.parent
    if parent is not None and parent.type in ("variable_declarator", "assignment"):
        return parent.child_by_field_name("name") or parent.child_by_field_name("left")
    return None


def _parameters(source: Source, node: Node) -> Iterator[Parameter]:
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
            yield Parameter(source.said(name), is_optional, is_spread, is_labelled)


def _innermost(node: Node) -> Node:
    """Return the node of what a parameter is named by."""
    for field in ("pattern", "left", "declarator"):
        if (inner := node.child_by_field_name(field)) is not None:
            return _innermost(inner)
    if "identifier" in node.type:
        return node
    return next((one for one in node.named_children if one.type == "identifier"), node)


def _calls(source: Source, function: _Function) -> Iterator[tuple[Node, bool]]:
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


def _is_called(function: _Function, called: Node, node: Node) -> bool:
    is_whole = called == node
    if called.parent is not None and called.parent.type == "method_invocation":
        is_whole = called.parent.child_by_field_name("object") is None
        return called == node and (function.is_member or is_whole)
    if function.is_constructor or not function.is_member:
        return is_whole
    return not is_whole and called.end_byte == node.end_byte


def _is_own(source: Source, function: _Function, called: Node, node: Node) -> bool:
    """Say whether what is called is a plain function, or a method on its own object."""
    of_call = called.parent.child_by_field_name("object") if called.parent is not None else None
    objects = called.named_children[:1] if called != node else [of_call] if of_call else []
    return not function.is_member or all(source.said(one) in _SELF for one in objects)


def _arguments(source: Source, call: Node) -> list[Node] | None:
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


def _followed(
    source: Source,
    call: Node,
    arguments: list[Node],
    was: tuple[Parameter, ...],
    now: tuple[Parameter, ...],
) -> Iterator[Put]:
    """Yield what becomes of the arguments of a call."""
    names_was, names_now = [one.name for one in was], [one.name for one in now]
    gone = [one for one in was if one.name not in names_now]
    come = [one for one in now if one.name not in names_was]
    n_plain = sum(not _label(source, one) for one in arguments)
    if n_plain > len(was) or len(gone) + len(come) > 1:
        return
    if gone:
        at = names_was.index(gone[0].name)
        labels = [_label(source, one) for one in arguments]
        if gone[0].name in labels:
            yield _taken_out(source, arguments, labels.index(gone[0].name))
        elif at < n_plain and not gone[0].is_labelled:
            yield _taken_out(source, arguments, at)
    elif come:
        n_least = sum(not one.is_optional for one in was)
        if not come[0].is_optional and len(arguments) >= n_least:
            yield from _put_in(source, call, arguments, come[0], names_now.index(come[0].name))
    elif sorted(names_was) == sorted(names_now) and n_plain == len(arguments) == len(was):
        for name, argument in zip(names_now, arguments, strict=True):
            text = source.said(arguments[names_was.index(name)])
            if text != source.said(argument):
                yield Put(source.span(argument), text)


def _label(source: Source, argument: Node) -> str:
    """Return the name by which an argument is handed over; empty where it is its place."""
    name = argument.child_by_field_name("name") if "keyword" in argument.type else None
    return source.said(name) if name is not None else ""


def _taken_out(source: Source, arguments: list[Node], index: int) -> Put:
    """Take an argument out, and the comma with it."""
    span = source.span(arguments[index])
    if index + 1 < len(arguments):
        return Put(Span(span.start, source.span(arguments[index + 1]).start), "")
    if index:
        return Put(Span(source.span(arguments[index - 1]).end, span.end), "")
    return Put(span, "")


def _put_in(
    source: Source, call: Node, arguments: list[Node], parameter: Parameter, at: int
) -> Iterator[Put]:
    """Put an argument in at a place, or by its name; what it is the model is to say."""
    labels = [_label(source, one) for one in arguments]
    n_plain, text = sum(not label for label in labels), ""
    if parameter.is_labelled or at > n_plain:
        if source.language != "python" or parameter.name in labels:
            return
        at, text = len(arguments), f"{parameter.name}="
    if at < len(arguments):
        start = source.span(arguments[at]).start
        yield Put(Span(start, start), text, is_open=True, behind=", ")
    elif arguments:
        end = source.span(arguments[-1]).end
        yield Put(Span(end, end), f", {text}", is_open=True)
    elif (node := call.child_by_field_name("arguments")) is not None:
        start = source.span(node).start + 1
        yield Put(Span(start, start), text, is_open=True)


def _declared_again(source: Source, now: _Function, was: str) -> Iterator[Put]:
    """Yield what becomes of the lists of parameters that were the same, of the same name."""
    changes = meant(was, source.text[now.span.start : now.span.end])
    for node in source.named(now.name):
        parent = node.parent
        listed = parent.child_by_field_name("parameters") if parent is not None else None
        if listed is None or parent is None or _name_node(parent) != node:
            continue
        span = source.span(listed)
        if span != now.span and source.text[span.start : span.end] == was:
            for one in changes:
                start = span.start + one.start
                yield Put(Span(start, start + len(one.old)), one.new)
