"""Which nodes of a definition are its name, its value and its body, in any language's grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

#: How deep a name may stand inside of C's declarators.
_MAX_NESTED = 6
_NAME_NODES = frozenset(
    [
        "identifier",
        "type_identifier",
        "field_identifier",
        "property_identifier",
        "qualified_identifier",
        "private_property_identifier",
        "destructor_name",
        "operator_name",
        "dot_index_expression",
        "method_index_expression",
    ]
)


def first_of(node: Node) -> Node | None:
    """Return a node's first child; where it has thousands, they are not all looked at."""
    return node.named_child(0) if node.named_child_count else None


def name_of(node: Node) -> Node | None:
    """Return the node that is a definition's name."""
    if node.type in _NAME_NODES:
        return node
    found = node.child_by_field_name("name")
    if found is None and node.type in ("assignment", "assignment_expression"):
        found = node.child_by_field_name("left")
    if found is None and node.type == "assignment_statement":
        listed = first_of(node)
        return first_of(listed) if listed is not None else None
    declared = node.child_by_field_name("declarator")
    for _ in range(_MAX_NESTED):
        if found is not None or declared is None:
            break
        if declared.type in _NAME_NODES:
            found = declared
        inner = declared.child_by_field_name("declarator")
        found = found or declared.child_by_field_name("name")
        declared = inner or first_of(declared)
    if found is None and node.type in ("type_alias_statement", "type_definition"):
        names = [one for one in node.named_children if one.type in (*_NAME_NODES, "type")]
        found = names[0] if names else None
    return found


def value_of(node: Node) -> Node | None:
    """Return what a definition says its name is."""
    return node.child_by_field_name("value") or node.child_by_field_name("right")


def body_of(node: Node) -> Node | None:
    """Return what of a definition is not its signature."""
    found = node.child_by_field_name("body")
    if node.type == "enum_variant" or (found and found.type == "ordered_field_declaration_list"):
        return None
    if found is None and node.type == "type_spec":
        inner = node.child_by_field_name("type")
        if inner is not None and inner.type == "struct_type":
            return first_of(inner)
        if inner is not None and inner.type == "interface_type":
            return inner
    if found is None and node.type == "type_definition":
        inner = node.child_by_field_name("type")
        return inner.child_by_field_name("body") if inner is not None else None
    return found
