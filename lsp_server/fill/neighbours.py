"""Which functions of a file the model is not shown when it writes the whole body of another.

A small model says again what stands in other bodies, a stub above all. So of other functions it is
shown those that the one to be written speaks of, and constructors, for these say what an object
has. All else of the file stays: imports, constants, types and their fields. Where something is to
be put into a body, and not all of it, everything is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.syntax.enclosing import BODIES, MAX_PARSED, statements
from lsp_server.syntax.languages import find_grammar, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from lsp_server.syntax.languages import Grammar

#: Where functions stand as declarations, and not as values of something.
_CONTAINERS = frozenset(
    [
        "module",
        "program",
        "source_file",
        "translation_unit",
        "chunk",
        "block",
        "class_body",
        "enum_body_declarations",
        "declaration_list",
        "field_declaration_list",
        "statement_block",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
    ]
)
#: What may stand around a function that it declares, and nothing else.
_AROUND = frozenset(
    [
        "decorated_definition",
        "export_statement",
        "variable_declarator",
        "lexical_declaration",
        "variable_declaration",
        "assignment",
        "assignment_expression",
        "expression_statement",
        "template_declaration",
    ]
)
#: Of these, what may declare several names together.
_OF_SEVERAL = frozenset({"lexical_declaration", "variable_declaration"})
_MAX_DEPTH = 8
_CONSTRUCTORS = frozenset({"__init__", "__new__", "__post_init__", "constructor", "new", "default"})
_CONSTRUCTOR_NODES = frozenset({"constructor_declaration", "compact_constructor_declaration"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: Shorter words of a name say nothing of what it is about.
_MIN_WORD = 3


def functions_to_leave_out(
    language: str, text: str, spans: Sequence[Span], around: Sequence[Span]
) -> list[Span]:
    """Return the stretches of a text that say nothing of what is to be written, in order.

    Args:
        language: LSP language id.
        text: the file.
        spans: what is to be filled.
        around: the functions that they stand in: what these speak of is shown.

    Returns:
        Whole lines, none of which is within a span or a function around one.
    """
    grammar = find_grammar(language)
    tree = parse(language, text) if grammar and len(text) <= MAX_PARSED else None
    if grammar is None or tree is None:
        return []
    data = text.encode("utf-8")
    places = [_bytes(text, span) for span in (*spans, *around)]
    spoken = " ".join(text[span.start : span.end] for span in around)
    found = [
        (node, whole)
        for node, whole in _functions(grammar, tree.root_node, places, 0)
        if not _is_wanted(node, spoken)
    ]
    leaves = {whole.id for _, whole in found}
    cut = [_lines(data, whole) for _, whole in found if _leaves_something(whole, leaves, places)]
    return [
        Span(len(data[:start].decode("utf-8")), len(data[:end].decode("utf-8")))
        for start, end in sorted(span for span in cut if span and not _meets(span, places))
    ]


def without(text: str, start: int, end: int, cut: Sequence[Span]) -> str:
    """Return a stretch of a text without others."""
    pieces, at = list[str](), start
    for span in cut:
        if start <= span.start and span.end <= end:
            pieces.append(text[at : span.start])
            at = span.end
    return "".join([*pieces, text[at:end]])


def _functions(
    grammar: Grammar, node: Node, places: Sequence[tuple[int, int]], depth: int
) -> Iterator[tuple[Node, Node]]:
    """Yield the functions that hold none of some places, each with its whole declaration."""
    for child in node.named_children:
        if child.type in grammar.functions:
            whole = _declaration(child)
            body = child.child_by_field_name("body")
            is_declared = whole.parent is not None and whole.parent.type in _CONTAINERS
            here = whole.start_byte, whole.end_byte
            # Lua's grammar gives one that holds a comment only no body.
            has_body = body is None or body.type in BODIES
            if is_declared and has_body and not _meets(here, places):
                yield child, whole
        elif depth < _MAX_DEPTH and _may_declare(child):
            yield from _functions(grammar, child, places, depth + 1)


def _may_declare(node: Node) -> bool:
    """Return whether functions may be declared in a node: of a large table not all is looked at."""
    is_one = node.type in _CONTAINERS or node.type in _AROUND
    return is_one or node.child_by_field_name("body") is not None


def _declaration(node: Node) -> Node:
    """Return what declares a function: with its decorators, its export, the name it is bound to."""
    while (around := node.parent) is not None and around.type in _AROUND:
        if around.type in _OF_SEVERAL and around.named_child_count > 1:
            break
        node = around
    return node


def _is_wanted(node: Node, spoken: str) -> bool:
    """Return whether a function says what an object has, or is spoken of."""
    name = _name(node) or (_name(node.parent) if node.parent else "")
    if node.type in _CONSTRUCTOR_NODES or name in _CONSTRUCTORS:
        return True
    if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", spoken):
        return True
    words = [word for word in _words(name) if len(word) >= _MIN_WORD]
    about = [word for word in _words(spoken) if len(word) >= _MIN_WORD]
    return bool(words) and all(
        any(one.startswith(word) or word.startswith(one) for one in about) for word in words
    )


def _name(node: Node) -> str:
    """Return what a function is called; C keeps it among what it returns."""
    found = node.child_by_field_name("name") or node.child_by_field_name("left")
    inner = node.child_by_field_name("declarator")
    while found is None and inner is not None:
        node, inner = inner, inner.child_by_field_name("declarator")
        found = node if inner is None else None
    return (found.text or b"").decode("utf-8", "replace") if found is not None else ""


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _leaves_something(whole: Node, leaves: set[int], places: Sequence[tuple[int, int]]) -> bool:
    """Return whether the type around a function has something left without those that go."""
    body = whole.parent
    if body is None or body.parent is None or _meets((body.start_byte, body.end_byte), places):
        return True
    return any(child.id not in leaves for child in statements(body))


def _lines(data: bytes, whole: Node) -> tuple[int, int] | None:
    """Return the lines of a declaration, with what is said above it; None if they hold more."""
    first = whole
    while (before := first.prev_named_sibling) is not None:
        is_near = first.start_point.row - before.end_point.row <= 1
        if not is_near or not ("comment" in before.type or before.type == "attribute_item"):
            break
        first = before
    start = data.rfind(b"\n", 0, first.start_byte) + 1
    end = data.find(b"\n", whole.end_byte)
    end = len(data) if end < 0 else end + 1
    if data[start : first.start_byte].strip() or data[whole.end_byte : end].strip(b" \t\r\n;"):
        return None
    while (line_end := data.find(b"\n", end)) >= 0 and not data[end:line_end].strip():
        end = line_end + 1
    return start, end


def _bytes(text: str, span: Span) -> tuple[int, int]:
    start = len(text[: span.start].encode("utf-8"))
    return start, start + len(text[span.start : span.end].encode("utf-8"))


def _meets(here: tuple[int, int], places: Sequence[tuple[int, int]]) -> bool:
    return any(here[0] < end and start < here[1] for start, end in places)
