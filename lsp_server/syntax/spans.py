"""What a selection means: the mask spans of a request.

The selection itself is the default, to the character; the empty selection means "here". It grows
only where the request asks for a syntax node. Knows syntax and offsets; knows no LSP.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from lsp_server.documents import DocumentSnapshot, Span
from lsp_server.errors import BadSelection
from lsp_server.syntax.languages import find_grammar, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from lsp_server.protocol_ext import Scope
    from lsp_server.syntax.languages import Grammar
    from model_runtime.protocol import Mode

#: Nodes that are code, though inside a string.
_INTERPOLATIONS = frozenset({"interpolation", "template_substitution"})


def find_mask_spans(
    snapshot: DocumentSnapshot,
    selections: Sequence[Span],
    *,
    mode: Mode,
    scope: Scope = "selection",
    hole_marker: str = "___",
) -> tuple[Span, ...]:
    """Return the spans to fill, in the order of the text and apart from each other.

    Args:
        snapshot: the document.
        selections: what the user selected. For holes any number, elsewhere exactly one.
        mode: only "holes" takes several spans.
        scope: which syntax node around the selection is meant; "selection" for none.
        hole_marker: what stands for a hole in the text.

    Raises:
        BadSelection: there is nothing to fill there; the message says why.
    """
    if mode == "holes":
        return _find_holes(snapshot, selections, hole_marker)
    if len(selections) != 1:
        raise BadSelection(
            f"To {mode}, select one place; {len(selections)} are selected. "
            "Several places are filled together as holes."
        )
    span = selections[0] if scope == "selection" else find_node(snapshot, selections[0], scope)
    if mode != "infill" and not snapshot.text[span.start : span.end].strip():
        raise BadSelection(f"There is nothing to {mode} in an empty selection. Select some text.")
    return (span,)


def find_markers(text: str, hole_marker: str, within: Span) -> list[Span]:
    """Return the hole markers that stand alone, so `___` but not the middle of `a___b`."""
    if hole_marker not in text:
        return []
    before = r"(?<!\w)" if re.match(r"\w", hole_marker) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", hole_marker) else ""
    pattern = re.compile(f"{before}{re.escape(hole_marker)}{after}")
    return [Span(*found.span()) for found in pattern.finditer(text, within.start, within.end)]


def find_holes(snapshot: DocumentSnapshot, hole_marker: str, within: Span) -> list[Span]:
    """Return the hole markers of a stretch that stand for code.

    In a string or a comment that lies within the stretch as a whole a marker is text. Where the
    language has no grammar, every marker counts.
    """
    markers = find_markers(snapshot.text, hole_marker, within)
    tree = parse(snapshot.language, snapshot.text) if markers else None
    if tree is None:
        return markers
    root = tree.root_node
    return [marker for marker in markers if not _is_text(snapshot, root, marker, within)]


def _is_text(snapshot: DocumentSnapshot, root: Node, marker: Span, within: Span) -> bool:
    """Return whether a marker stands in a string or a comment of the stretch."""
    at = snapshot.utf8_of(marker.start)
    for node in _ancestors(root.descendant_for_byte_range(at, at)):
        if node.type in _INTERPOLATIONS:
            return False
        if "string" in node.type or "comment" in node.type:
            span = _span_of(snapshot, node)
            if within.start <= span.start and span.end <= within.end:
                return True
    return False


def _find_holes(
    snapshot: DocumentSnapshot, selections: Sequence[Span], hole_marker: str
) -> tuple[Span, ...]:
    selected = [selection for selection in selections if selection.start < selection.end]
    places = selected or [Span(0, len(snapshot.text))]
    found = {hole for place in places for hole in find_holes(snapshot, hole_marker, place)}
    holes = sorted(found or (selections if len(selections) > 1 else ()))
    if not holes and any(find_markers(snapshot.text, hole_marker, place) for place in places):
        raise BadSelection(
            f"{hole_marker} stands only inside strings and comments, where it is taken for text. "
            "To have it filled there, select it alone."
        )
    if not holes:
        raise BadSelection(
            f"There is no hole to fill. Write {hole_marker} where code is missing, "
            "or select several places."
        )
    if any(second.start < first.end or first == second for first, second in pairwise(holes)):
        raise BadSelection("The selected places overlap. Select places that are apart.")
    return tuple(holes)


def find_node(snapshot: DocumentSnapshot, selection: Span, scope: Scope) -> Span:
    """Return the expression, statement or function body around a selection.

    The expression is the smallest one of more than a single name around the selection, the
    statement the smallest one. The body is that of the innermost function, braces and a Python
    docstring left out.

    Raises:
        BadSelection: there is none, or the language has no grammar.
    """
    grammar = find_grammar(snapshot.language)
    tree = parse(snapshot.language, snapshot.text)
    if grammar is None or tree is None:
        raise BadSelection(
            f"Remask has no grammar for {snapshot.language or 'this kind of file'}, so it can't "
            f"find the {scope}. Select the text itself."
        )
    anchor = _anchor(snapshot.text, selection)
    node = tree.root_node.named_descendant_for_byte_range(
        snapshot.utf8_of(anchor.start), snapshot.utf8_of(anchor.end)
    )
    find = {"expression": _expression, "statement": _statement, "body": _body}[scope]
    span = find(snapshot, grammar, node) if node else None
    if span is None:
        raise BadSelection(f"There is no {scope} around the cursor. Select the text itself.")
    return span


def _anchor(text: str, selection: Span) -> Span:
    """Return what to look up in the tree: the selection without blanks, or the character meant.

    A cursor in the blanks before a line's text means that text; one behind it, its last character.
    """
    start, end = selection
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        return Span(start, end)
    while start < len(text) and text[start] in " \t":
        start += 1
    at_line_end = start == len(text) or text[start].isspace()
    if at_line_end and selection.start and not text[selection.start - 1].isspace():
        start = selection.start - 1
    return Span(start, min(start + 1, len(text)))


def _ancestors(node: Node | None) -> Iterator[Node]:
    """Yield a node, its parent, and so on up to the root."""
    while node is not None:
        yield node
        node = node.parent


def _expression(snapshot: DocumentSnapshot, grammar: Grammar, node: Node) -> Span | None:
    single: Node | None = None
    for candidate in _ancestors(node):
        if grammar.is_value(candidate.type):
            if candidate.named_child_count:
                return _span_of(snapshot, candidate)
            single = single or candidate
        elif single or (candidate.parent and candidate.parent.type in grammar.blocks):
            break
    return _span_of(snapshot, single) if single else None


def _statement(snapshot: DocumentSnapshot, grammar: Grammar, node: Node) -> Span | None:
    for candidate in _ancestors(node):
        if candidate.parent and candidate.parent.type in grammar.blocks:
            return _span_of(snapshot, candidate)
    return None


def _body(snapshot: DocumentSnapshot, grammar: Grammar, node: Node) -> Span | None:
    for candidate in _ancestors(node):
        body = (
            candidate.child_by_field_name("body") if candidate.type in grammar.functions else None
        )
        if body is not None:
            return _inside(snapshot, body)
    return None


def _inside(snapshot: DocumentSnapshot, body: Node) -> Span:
    """Return the text of a body: without its braces, and without a docstring."""
    start, end = _span_of(snapshot, body)
    if body.children and body.children[0].type == "{":
        start, end = start + 1, end - 1
    elif body.type == "block" and (docstring := _docstring(body)):
        start = _span_of(snapshot, docstring).end
    text = snapshot.text[start:end]
    if not text.strip():
        return Span(start, end)
    return Span(end - len(text.lstrip()), start + len(text.rstrip()))


def _docstring(block: Node) -> Node | None:
    first = block.named_children[0] if block.named_children else None
    if first is None or first.type != "expression_statement" or not first.named_children:
        return None
    return first if first.named_children[0].type == "string" else None


def _span_of(snapshot: DocumentSnapshot, node: Node) -> Span:
    return Span(snapshot.offset_of_utf8(node.start_byte), snapshot.offset_of_utf8(node.end_byte))
