"""Where a text names a word, and what it means by it there, as far as a syntax tree can tell.

A tree knows no types. It tells a variable from a member, a label and prose, where a word is bound,
and how far a binding reaches at the most: a parameter or a local its function, a member of `self`
its class, anything else the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lsp_server.documents import Span
from lsp_server.syntax.languages import find_grammar, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsp_server.syntax.languages import Grammar

Role = Literal["variable", "member", "label", "type", "literal", "prose", "other"]

#: A file that says a word oftener is no place to judge it.
MAX_MENTIONS = 200

_MEMBER_TYPES = frozenset(
    {"property_identifier", "field_identifier", "private_property_identifier"}
)
_MEMBER_PARENTS = frozenset(
    {"attribute", "field_access", "method_invocation", "dot_index_expression", "method_reference"}
)
_MEMBER_FIELDS = frozenset({"attribute", "field", "property", "name", "method"})
_PROSE = ("comment", "heredoc")
_LABEL_PARENTS = frozenset({"keyword_argument", "labeled_argument"})
#: A node with more is a list, whose parts have no names.
_MAX_CHILDREN = 64
_SELF = frozenset({"self", "this", "cls", "Self"})
_CLASSES = ("class", "impl_item", "struct", "interface", "trait_item")
#: What declares a member of a class.
_DECLARATIONS = frozenset(
    {
        "public_field_definition", "field_definition", "property_signature", "method_signature",
        "method_definition", "field_declaration",
    }
)  # fmt: skip
#: Fields of a node in which a name is bound, not used.
_BINDING_FIELDS = frozenset({"left", "pattern", "name", "declarator", "parameter", "alias"})
_USING_FIELDS = frozenset({"value", "type", "default_value", "right", "object", "function"})
_BINDING_PARENTS = (
    "parameter",
    "pattern_list",
    "tuple_pattern",
    "as_pattern_target",
)
_NO_BINDING = (
    "call",
    "invocation",
    "argument",
    "struct_expression",
    "scoped_",
    "comparison",
    "binary",
    "boolean",
    "logical",
)


@dataclass(frozen=True)
class Mention:
    """A whole word in a text."""

    span: Span
    role: Role
    #: What it can't be meant beyond: a function, a class, "" for the file.
    scope: str
    #: Whether it is bound here: declared, assigned, a parameter.
    is_binding: bool
    #: Of a parameter its function's name, of a label the name that is called; else empty.
    callee: str = ""
    #: The class that declares it here, as `scope` tells classes; else empty.
    owner: str = ""
    #: Whether it stands for a label and its value at once, as `{size}` for `{size: size}` does.
    is_shorthand: bool = False


def find_mentions(language: str, text: str, word: str) -> list[Mention]:
    """Return where a text names a word, in order; none where the language has no grammar."""
    grammar, tree = find_grammar(language), parse(language, text)
    if tree is None or grammar is None or not word:
        return []
    before = r"(?<!\w)" if re.match(r"\w", word) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", word) else ""
    found: list[Mention] = []
    for match in re.finditer(f"{before}{re.escape(word)}{after}", text):
        if len(found) == MAX_MENTIONS:
            return []
        start, end = match.span()
        first = start if text.isascii() else len(text[:start].encode())
        node = tree.root_node.descendant_for_byte_range(first, first + len(word.encode()))
        if node is not None:
            found.append(_mention(grammar, node, Span(start, end)))
    return found


def scope_at(language: str, text: str, offset: int) -> str:
    """Return the scope that a variable has which is named at an offset; "" for the file."""
    grammar, tree = find_grammar(language), parse(language, text)
    if tree is None or grammar is None:
        return ""
    first = len(text[:offset].encode())
    node = tree.root_node.descendant_for_byte_range(first, first)
    return _scope(grammar, node, "variable") if node is not None else ""


def _mention(grammar: Grammar, node: Node, span: Span) -> Mention:
    role = _role(node)
    is_binding = _is_binding(node, role)
    callee = ""
    if role == "label" or (role == "variable" and is_binding):
        callee = _callee(grammar, node, role)
    kinds = (node.type, node.parent.type if node.parent else "")
    is_shorthand = any(kind.startswith("shorthand_") for kind in kinds)
    is_declared = is_binding or kinds[1] in _DECLARATIONS
    owner = _owner(grammar, node) if is_declared and role in ("variable", "member") else ""
    scope = _scope(grammar, node, role)
    return Mention(span, role, scope, is_binding or bool(owner), callee, owner, is_shorthand)


def _owner(grammar: Grammar, node: Node) -> str:
    """Return the class in whose body a name is declared."""
    child = node
    for around in _ancestors(node):
        if around.type in grammar.functions and not _names(around, child, node):
            return ""
        if any(kind in around.type for kind in _CLASSES):
            return "" if _names(around, child, node) else f"class {around.start_byte}"
        child = around
    return ""


def _callee(grammar: Grammar, node: Node, role: Role) -> str:
    """Return the name of the function that a parameter is of, or that a label is given to."""
    is_parameter = False
    for above in _ancestors(node):
        is_parameter = is_parameter or "parameter" in above.type
        is_wanted = above.type in grammar.functions and is_parameter
        named = above.child_by_field_name("name") if is_wanted else None
        if role == "label" and "call" in above.type:
            named = above.child_by_field_name("function")
        if named is not None:
            text = (named.text or b"").decode(errors="replace")
            return text.rpartition(".")[2]
        if is_wanted:
            break
    return ""


def _role(node: Node) -> Role:
    above = node.parent.type if node.parent else ""
    is_text = node.is_named and "string" in node.type
    if is_text or any(part in kind for kind in (node.type, above) for part in _PROSE):
        return "prose"
    if "identifier" not in node.type:
        return "literal" if node.is_named and not node.child_count else "other"
    if node.type in _MEMBER_TYPES or _is_member(node, above):
        return "member"
    if node.type == "type_identifier":
        return "type"
    is_label = above in _LABEL_PARENTS and _field(node) == "name"
    return "label" if is_label else "variable"


def _is_member(node: Node, above: str) -> bool:
    if above not in _MEMBER_PARENTS or _field(node) not in _MEMBER_FIELDS:
        return False
    parent = node.parent
    return parent is not None and (
        above != "method_invocation" or parent.child_by_field_name("object") is not None
    )


def _field(node: Node) -> str:
    parent = node.parent
    if parent is None or parent.child_count > _MAX_CHILDREN:
        return ""
    for index, child in enumerate(parent.children):
        if child == node:
            return parent.field_name_for_child(index) or ""
    return ""


def _is_binding(node: Node, role: Role) -> bool:
    if role not in ("variable", "type", "member"):
        return False
    if role == "member" and node.parent is not None and "declar" not in node.parent.type:
        node = node.parent
    if node.parent is not None and node.parent.type == "dotted_name":
        return _is_imported(node, node.parent)
    parent, field = node.parent, _field(node)
    if parent is None or field in _USING_FIELDS or any(p in parent.type for p in _NO_BINDING):
        return False
    if parent.type == "expression_list":
        return _field(parent) == "left"
    return field in _BINDING_FIELDS or any(part in parent.type for part in _BINDING_PARENTS)


def _is_imported(node: Node, dotted: Node) -> bool:
    """Return whether a name of an import is bound: `import a.b` binds a, `from a import b` b."""
    if dotted.parent is None or _field(dotted) != "name":
        return False
    is_statement = dotted.parent.type in ("import_statement", "import_from_statement")
    return is_statement and dotted.named_children[:1] == [node]


def _scope(grammar: Grammar, node: Node, role: Role) -> str:
    if role == "member":
        owner = node.parent.named_children[0] if node.parent and node.parent.children else None
        name = owner.text.decode(errors="replace") if owner is not None and owner.text else ""
        if name in _SELF or owner == node:
            for above in _ancestors(node):
                if any(kind in above.type for kind in _CLASSES) and above.child_by_field_name(
                    "body"
                ):
                    return f"class {above.start_byte}"
            return "class"
        return f"of {name}"
    if role in ("type", "other"):
        return ""
    outermost = ""
    child = node
    for above in _ancestors(node):
        if above.type in grammar.functions and not _names(above, child, node):
            outermost = f"function {above.start_byte}"
        child = above
    return outermost


def _names(function: Node, child: Node, node: Node) -> bool:
    """Return whether a node is a function's own name, which is bound around it."""
    for field in ("name", "declarator"):
        named = function.child_by_field_name(field)
        if named is not None and named == child:
            # In C the declarator holds the parameters, too.
            inner = named
            while (further := inner.child_by_field_name("declarator")) is not None:
                inner = further
            return inner == node
    return False


def _ancestors(node: Node) -> Iterator[Node]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent
