"""Whether a function's body that was filled is whole: what a parser does not see.

`let total = 0;` parses. But a function that declares a result gives one, what is declared is used,
a body does something, and does it with what it is given. Only a body that was filled as a whole is
judged so: in one that is being written much is missing by right.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from lsp_server.syntax.enclosing import functions_around, is_docstring, statements
from lsp_server.syntax.languages import find_grammar, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsp_server.syntax.languages import Grammar

#: What a body lacks that is none: in its place stands what says so.
DOES_NOTHING = "the body does nothing"
#: Results that are none.
_NO_RESULT = frozenset(
    {"void", "None", "NoReturn", "Never", "never", "undefined", "any", "unknown", "!", "()"}
    | {"Promise<void>", "Promise<never>"}
)
#: Fields in which the grammars keep a function's result.
_RESULT_FIELDS = ("return_type", "result", "type")
_LEAVES = frozenset({"throw_statement", "raise_statement", "yield", "yield_expression"})
_RETURNS = frozenset({"return_statement", "return_expression"})
_PROMISE = re.compile(r"\breturns?\b", re.IGNORECASE)
#: Stands for code that is not there.
_STUB = re.compile(
    r"(pass|\.\.\.|…|(todo|unimplemented)!\(.*\)|raise NotImplementedError.*"
    r"|(throw new \w*Error|throw new \w*Exception|panic!?)\(.*(implement|todo).*\)"
    r"|return|return \.\.\.);?\Z",
    re.IGNORECASE | re.DOTALL,
)
#: Nodes that declare names, and the field that holds these.
_DECLARING = {
    "assignment": "left",
    "variable_declarator": "name",
    "let_declaration": "pattern",
    "short_var_declaration": "left",
    "var_spec": "name",
    "init_declarator": "declarator",
}
#: Nodes whose children are names.
_LISTS = frozenset({"expression_list", "pattern_list", "tuple_pattern", "identifier_list"})
_PARAMETERS = frozenset({"parameters", "formal_parameters", "parameter_list"})
#: What a method has to do with beside what it is given.
_OBJECTS = ("self", "cls", "this", "super")
_WORD = re.compile(r"\w+")
_NAMES = frozenset({"identifier", "shorthand_property_identifier", "variable_name"})


def find_lacks(language: str, text: str, at: int) -> list[str]:
    """Return what a filled body lacks, each a few words for the user; empty where it is whole.

    Args:
        language: LSP language id.
        text: the file with the body in it.
        at: an offset in the body.
    """
    grammar, tree = find_grammar(language), parse(language, text)
    if grammar is None or tree is None:
        return []
    start = len(text[:at].encode("utf-8"))
    for function, body in functions_around(grammar, tree.root_node, start, start):
        return list(_lacks(grammar, function, body))
    return [DOES_NOTHING] if _is_said_of_nothing(grammar, tree.root_node, start) else []


def _is_said_of_nothing(grammar: Grammar, root: Node, start: int) -> bool:
    """Return whether a comment is all that a function has.

    Python's grammar puts it behind that, Lua's beside a body that is none.
    """
    node = root.descendant_for_byte_range(start, start)
    while node is not None and node.parent is not None and "comment" in node.parent.type:
        node = node.parent
    if node is None or "comment" not in node.type:
        return False
    if node.parent is not None and node.parent.type in grammar.functions:
        return node.parent.child_by_field_name("body") is None
    while node is not None and "comment" in node.type:
        node = node.prev_named_sibling
    if node is not None and node.type == "decorated_definition":
        node = node.child_by_field_name("definition")
    body = node.child_by_field_name("body") if node and node.type in grammar.functions else None
    return body is not None and not body.children


def _lacks(grammar: Grammar, function: Node, body: Node) -> Iterator[str]:
    if found := [*_missing(grammar, function, body)]:
        yield from found
    elif given := _given(function, body):
        said = set(_WORD.findall(_text(body)))
        if not said & {*given, *_OBJECTS, *_received(function)}:
            yield f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} not used"


def _missing(grammar: Grammar, function: Node, body: Node) -> Iterator[str]:
    found = statements(body)
    # A string that stands there and is no docstring is none, either.
    found = [node for node in found if not is_docstring(node)]
    if not found or (len(found) == 1 and _STUB.match(_text(found[0]).strip())):
        yield DOES_NOTHING
        return
    nodes = [*_inside(grammar, body)]
    if _gives_result(function, body) and not any(_is_result(node) for node in nodes):
        last = found[-1]
        # Rust: what stands last, with nothing behind it, is the result.
        if not (grammar.module == "tree_sitter_rust" and not _text(last).endswith(";")):
            yield "nothing is returned"
    names = Counter(_text(node) for node in _all(body) if node.type in _NAMES)
    declared = Counter(name for node in nodes for name in _declared(node))
    for name, n_declared in declared.items():
        if names[name] <= n_declared and not name.startswith("_"):
            yield f"{name} is not used"


def _given(function: Node, body: Node) -> list[str]:
    """Return the names of what a function is given beside its object."""
    found = list[str]()
    waiting = [child for child in function.named_children if child.start_byte < body.start_byte]
    waiting = [child for child in waiting if child != function.child_by_field_name("receiver")]
    while waiting:
        node = waiting.pop(0)
        if node.type in _PARAMETERS:
            found += _names_given(node)
        elif node.type.endswith("declarator"):
            waiting += node.named_children
    return [
        name for name in dict.fromkeys(found) if not name.startswith("_") and name not in _OBJECTS
    ]


def _received(function: Node) -> list[str]:
    """Return what Go calls a method's object."""
    receiver = function.child_by_field_name("receiver")
    return [*_names_given(receiver)] if receiver is not None else []


def _names_given(parameters: Node) -> Iterator[str]:
    """Yield the names that a list of parameters binds, without their types and defaults."""
    for index, child in enumerate(parameters.children):
        if parameters.field_name_for_child(index) in ("type", "value", "default_value", "right"):
            continue
        if child.type in ("identifier", "self", "shorthand_property_identifier_pattern"):
            yield _text(child)
        elif child.type not in ("type", "type_annotation"):
            yield from _names_given(child)


def _gives_result(function: Node, body: Node) -> bool:
    """Return whether a function says that it gives a result, by its type or in words."""
    for field in _RESULT_FIELDS:
        if declared := function.child_by_field_name(field):
            words = _text(declared).strip().lstrip(":->").replace(" ", "")
            return words not in _NO_RESULT
    return bool(_PROMISE.search(_documentation(function, body)))


def _documentation(function: Node, body: Node) -> str:
    """Return a function's docstring, and the comment before it."""
    first = body.named_children[0] if body.named_children else None
    inside = _text(first) if first is not None and _text(first).startswith(('"', "'")) else ""
    node: Node | None = function
    while node is not None and node.prev_named_sibling is None:
        node = node.parent
    before = node.prev_named_sibling if node is not None else None
    return inside + (_text(before) if before is not None and "comment" in before.type else "")


def _is_result(node: Node) -> bool:
    return node.type in _LEAVES or (node.type in _RETURNS and node.named_child_count > 0)


def _declared(node: Node) -> Iterator[str]:
    field = _DECLARING.get(node.type)
    named = node.child_by_field_name(field) if field else None
    if named is None:
        return
    for one in named.named_children if named.type in _LISTS else [named]:
        if one.type in _NAMES:
            yield _text(one)


def _inside(grammar: Grammar, node: Node) -> Iterator[Node]:
    """Yield the nodes below one, those of other functions in it left out."""
    for child in node.named_children:
        if child.type not in grammar.functions:
            yield child
            yield from _inside(grammar, child)


def _all(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield child
        yield from _all(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
