"""Which nodes of each grammar define something, and which are but a wrapping around such nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: "type": has members; "value": a constant, a variable, a field.
Kind = Literal["function", "type", "value"]


@dataclass(frozen=True)
class Rules:
    """One grammar's nodes."""

    kinds: Mapping[str, Kind]
    #: Nodes whose children count as if they stood in their place.
    wrappers: frozenset[str]
    #: Nodes that say of which type the definitions in them are members, and its field.
    owners: Mapping[str, str] = field(default_factory=dict)
    #: What begins a comment up to the line's end.
    comment: str = "//"


def _kinds(*, functions: str = "", types: str = "", values: str = "") -> dict[str, Kind]:
    kinds: dict[str, Kind] = dict.fromkeys(functions.split(), "function")
    return kinds | dict.fromkeys(types.split(), "type") | dict.fromkeys(values.split(), "value")


_ECMASCRIPT = Rules(
    _kinds(
        functions="function_declaration generator_function_declaration function_signature "
        "method_definition method_signature abstract_method_signature",
        types="class_declaration abstract_class_declaration interface_declaration "
        "enum_declaration class internal_module",
        values="variable_declarator type_alias_declaration public_field_definition "
        "field_definition property_signature enum_assignment property_identifier "
        "assignment_expression",
    ),
    frozenset(
        [
            "export_statement",
            "lexical_declaration",
            "variable_declaration",
            "expression_statement",
            "ambient_declaration",
            "statement_block",
        ]
    ),
)
_C = Rules(
    _kinds(
        functions="function_definition preproc_function_def",
        types="struct_specifier union_specifier enum_specifier class_specifier",
        values="type_definition declaration field_declaration enumerator preproc_def "
        "alias_declaration",
    ),
    frozenset(
        [
            "preproc_if",
            "preproc_ifdef",
            "preproc_else",
            "preproc_elif",
            "linkage_specification",
            "declaration_list",
            "namespace_definition",
            "template_declaration",
        ]
    ),
)

RULES: Mapping[str, Rules] = {
    "tree_sitter_python": Rules(
        _kinds(
            functions="function_definition",
            types="class_definition",
            values="assignment type_alias_statement",
        ),
        frozenset(
            [
                "decorated_definition",
                "expression_statement",
                "if_statement",
                "else_clause",
                "try_statement",
                "except_clause",
                "block",
            ]
        ),
        comment="#",
    ),
    "tree_sitter_javascript": _ECMASCRIPT,
    "tree_sitter_typescript": _ECMASCRIPT,
    "tree_sitter_go": Rules(
        _kinds(
            functions="function_declaration method_declaration method_elem",
            types="type_spec",
            values="const_spec var_spec field_declaration type_alias",
        ),
        frozenset(
            [
                "type_declaration",
                "const_declaration",
                "var_declaration",
                "var_spec_list",
                "field_declaration_list",
            ]
        ),
    ),
    "tree_sitter_rust": Rules(
        _kinds(
            functions="function_item function_signature_item macro_definition",
            types="struct_item enum_item union_item trait_item",
            values="const_item static_item type_item field_declaration enum_variant "
            "associated_type",
        ),
        frozenset({"mod_item", "declaration_list", "foreign_mod_item"}),
        owners={"impl_item": "type"},
    ),
    "tree_sitter_c": _C,
    "tree_sitter_cpp": _C,
    "tree_sitter_java": Rules(
        _kinds(
            functions="method_declaration constructor_declaration "
            "annotation_type_element_declaration",
            types="class_declaration interface_declaration enum_declaration record_declaration "
            "annotation_type_declaration",
            values="field_declaration enum_constant constant_declaration",
        ),
        frozenset({"enum_body_declarations"}),
    ),
    "tree_sitter_lua": Rules(
        _kinds(functions="function_declaration", values="assignment_statement"),
        frozenset({"variable_declaration", "return_statement", "expression_list"}),
        comment="--",
    ),
}
