"""Which function a span stands in, and whether the span is its whole body.

The file is parsed with a statement in the span's place: what stands there may be nothing, a marker
or half a line, and would hide the function from the grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.documents import LINE_END
from lsp_server.syntax.languages import find_grammar, parse
from model_runtime.protocol import Enclosing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsp_server.documents import Span
    from lsp_server.syntax.languages import Grammar

#: A larger text is not looked at: it would keep the server for more than a tenth of a second.
MAX_PARSED = 300_000
#: A value anywhere, and a statement in every language.
_VALUE = "___"
_STATEMENT = "___();"
#: What a function's body is called that holds statements, beside those that the grammar names.
BODIES = frozenset({"block", "compound_statement", "statement_block", "constructor_body"})


def find_enclosing(language: str, text: str, span: Span) -> Enclosing | None:
    """Return the innermost function whose body a span lies in.

    None where there is none, where the language has no grammar, and in a text over `MAX_PARSED`
    characters.
    """
    grammar = find_grammar(language)
    if grammar is None or len(text) > MAX_PARSED:
        return None
    head, tail = text[: span.start], text[span.end :]
    here, rest = LINE_END.split(head)[-1], LINE_END.split(tail, maxsplit=1)[0]
    is_alone = not here.strip(" \t{") and not rest.strip(" \t};")
    stand_in = _STATEMENT if is_alone else _VALUE
    tree = parse(language, head + stand_in + tail)
    if tree is None:
        return None
    start = len(head.encode("utf-8"))
    end = start + len(stand_in)
    for function, body in functions_around(grammar, tree.root_node, start, end):
        data = (head + stand_in + tail).encode("utf-8")
        line_end = max(data.rfind(end, 0, function.start_byte) for end in (b"\n", b"\r"))
        before = data[line_end + 1 : start].decode("utf-8")
        # Up to here the line may hold what the function is assigned to.
        n_indent = len(before) - len(before.lstrip())
        return Enclosing(
            n_before=len(before) - n_indent,
            n_behind=len(data[end : function.end_byte].decode("utf-8")),
            is_body=_holds(body) == stand_in.rstrip(";"),
        )
    return None


def functions_around(
    grammar: Grammar, root: Node, start: int, end: int
) -> Iterator[tuple[Node, Node]]:
    """Yield the functions whose bodies, of statements, hold some bytes, the innermost first.

    Yields:
        each with its body.
    """
    node = root.descendant_for_byte_range(start, end)
    while node is not None:
        body = node.child_by_field_name("body") if node.type in grammar.functions else None
        if body and body.start_byte <= start and end <= body.end_byte and body.type in BODIES:
            yield node, body
        node = node.parent


def statements(body: Node) -> list[Node]:
    """Return what a body holds, without its braces, comments and docstring."""
    found = [child for child in body.named_children if "comment" not in child.type]
    if len(found) == 1 and found[0].type == "statement_list":
        found = [child for child in found[0].named_children if "comment" not in child.type]
    if found and is_docstring(found[0]):
        found = found[1:]
    return found


def is_docstring(statement: Node) -> bool:
    """Return whether a statement is a string and nothing else."""
    first = statement.named_children[0] if statement.named_children else None
    is_bare = statement.type == "expression_statement" and statement.named_child_count == 1
    return is_bare and first is not None and first.type == "string"


def _holds(body: Node) -> str:
    """Return the text of a body's statements."""
    found, data = statements(body), body.text or b""
    if not found:
        return ""
    start, end = (at - body.start_byte for at in (found[0].start_byte, found[-1].end_byte))
    return data[start:end].decode("utf-8", "replace").rstrip("; \t\n")
