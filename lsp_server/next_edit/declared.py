"""What is declared twice: the other declarations of a name whose type was changed.

A prototype and its definition, an interface and what implements it, two functions that take the
same thing: where they said the same type of the same name, they may have to say the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.next_edit.places import Candidates, Put
from lsp_server.next_edit.source import Source, above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from lsp_server.documents import Span
    from lsp_server.next_edit.changes import Change

_TYPES = ("type", "return_type", "result")
_NAMES = ("name", "pattern", "declarator", "left", "property")


def follow_type(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the other declarations of what has another type now, as one group.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
    """
    if len(changes) != 1:
        return []
    (change,) = changes
    source = Source(language, text)
    found = _typed(source, change)
    if found is None:
        return []
    declaration, field, typed = found
    name = _name(source, declaration)
    span = source.span(typed)
    new = text[span.start : span.end]
    old = new[: change.start - span.start] + change.old + new[change.end - span.start :]
    if not name or not old.strip():
        return []
    puts = []
    for node in source.named(name):
        for around in above(node):
            other = around.child_by_field_name(field)
            if around.type == declaration.type and other is not None:
                place = source.span(other)
                if around != declaration and _name(source, around) == name:
                    puts += [Put(place, new)] if text[place.start : place.end] == old else []
                break
    return [Candidates.of(set(puts), is_loose=True)] if puts else []


def _typed(source: Source, change: Change) -> tuple[Node, str, Node] | None:
    """Return the declaration whose type a change stands in, the type's field, and the type."""
    child = source.node_at(*change.span)
    for around in above(child) if child is not None else ():
        for field in _TYPES:
            typed = around.child_by_field_name(field)
            if typed is not None and typed == child and _covers(source.span(typed), change.span):
                return around, field, typed
        child = around
    return None


def _covers(one: Span, other: Span) -> bool:
    return one.start <= other.start and other.end <= one.end


def _name(source: Source, declaration: Node) -> str:
    """Return what a declaration declares; empty where that has no name of its own."""
    for field in _NAMES:
        if (named := declaration.child_by_field_name(field)) is not None:
            return _name(source, named) if named.child_count else source.said(named)
    first = declaration.named_children[:1]
    return source.said(first[0]) if first and "identifier" in first[0].type else ""
