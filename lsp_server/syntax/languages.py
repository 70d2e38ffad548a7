"""The grammars: which languages have one, and the few node names that spans need.

Languages go by their LSP id. A grammar is a wheel of its own, imported when first used. A language
without one works too: exact selections need no syntax.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath

    from tree_sitter import Parser, Tree


@dataclass(frozen=True)
class Grammar:
    """One language's grammar and what its nodes are called."""

    #: Python module of the wheel.
    module: str
    #: Nodes whose `body` field is the body of a function.
    functions: frozenset[str]
    #: Nodes whose children are statements.
    blocks: frozenset[str]
    #: Nodes that are values, apart from those named `..._expression` or `..._literal`.
    values: frozenset[str] = frozenset()
    #: Function of `module` that returns the grammar.
    factory: str = "language"
    suffixes: tuple[str, ...] = field(default=(), kw_only=True)

    def is_value(self, kind: str) -> bool:
        """Return whether a node of this name is an expression."""
        return kind in self.values or kind.endswith(("_expression", "_literal"))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JS_FUNCTIONS = _names(
    "function_declaration function_expression generator_function generator_function_declaration "
    "arrow_function method_definition"
)
_JS_BLOCKS = _names("program statement_block class_body switch_case switch_default")
_JS_VALUES = _names(
    "array object string template_string number regex identifier true false null undefined this "
    "jsx_element jsx_self_closing_element"
)
_C_BLOCKS = _names(
    "translation_unit compound_statement case_statement declaration_list field_declaration_list "
    "preproc_if preproc_ifdef preproc_else"
)
_C_VALUES = _names("identifier true false null initializer_list concatenated_string this")

GRAMMARS: dict[str, Grammar] = {
    "python": Grammar(
        "tree_sitter_python",
        _names("function_definition lambda"),
        _names("module block"),
        _names(
            "attribute await binary_operator boolean_operator call comparison_operator "
            "concatenated_string dictionary dictionary_comprehension ellipsis false float "
            "identifier integer lambda list list_comprehension none not_operator set "
            "set_comprehension string subscript true tuple unary_operator yield"
        ),
        suffixes=(".py", ".pyi", ".pyw"),
    ),
    "javascript": Grammar(
        "tree_sitter_javascript",
        _JS_FUNCTIONS,
        _JS_BLOCKS,
        _JS_VALUES,
        suffixes=(".js", ".mjs", ".cjs"),
    ),
    "javascriptreact": Grammar(
        "tree_sitter_javascript", _JS_FUNCTIONS, _JS_BLOCKS, _JS_VALUES, suffixes=(".jsx",)
    ),
    "typescript": Grammar(
        "tree_sitter_typescript",
        _JS_FUNCTIONS,
        _JS_BLOCKS,
        _JS_VALUES,
        "language_typescript",
        suffixes=(".ts", ".mts", ".cts"),
    ),
    "typescriptreact": Grammar(
        "tree_sitter_typescript",
        _JS_FUNCTIONS,
        _JS_BLOCKS,
        _JS_VALUES,
        "language_tsx",
        suffixes=(".tsx",),
    ),
    "rust": Grammar(
        "tree_sitter_rust",
        _names("function_item closure_expression"),
        _names("source_file block declaration_list"),
        _names("identifier self macro_invocation"),
        suffixes=(".rs",),
    ),
    "go": Grammar(
        "tree_sitter_go",
        _names("function_declaration method_declaration func_literal"),
        _names("source_file statement_list"),
        _names("identifier true false nil iota"),
        suffixes=(".go",),
    ),
    "c": Grammar(
        "tree_sitter_c",
        _names("function_definition"),
        _C_BLOCKS,
        _C_VALUES,
        suffixes=(".c", ".h"),
    ),
    "cpp": Grammar(
        "tree_sitter_cpp",
        _names("function_definition lambda_expression"),
        _C_BLOCKS,
        _C_VALUES | {"qualified_identifier"},
        suffixes=(".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"),
    ),
    "java": Grammar(
        "tree_sitter_java",
        _names(
            "method_declaration constructor_declaration compact_constructor_declaration "
            "lambda_expression"
        ),
        _names("program block constructor_body class_body switch_block_statement_group"),
        _names("array_access field_access identifier method_invocation method_reference this"),
        suffixes=(".java",),
    ),
    "lua": Grammar(
        "tree_sitter_lua",
        _names("function_declaration function_definition"),
        _names("chunk block"),
        _names("function_call identifier nil number string table_constructor true false"),
        suffixes=(".lua",),
    ),
}

#: Other ids that editors use for the same languages.
_ALIASES = {"tsx": "typescriptreact", "jsx": "javascriptreact", "c++": "cpp"}


def find_grammar(language: str) -> Grammar | None:
    """Return a language's grammar, or None where Remask has none."""
    return GRAMMARS.get(_ALIASES.get(language, language))


def guess_language(path: PurePath) -> str:
    """Return the LSP id that a file's suffix stands for; empty where no grammar knows it."""
    suffix = path.suffix.lower()
    for language, grammar in GRAMMARS.items():
        if suffix in grammar.suffixes:
            return language
    return ""


@lru_cache(maxsize=8)
def parse(language: str, text: str) -> Tree | None:
    """Return the syntax tree of a text; None where the language has no grammar.

    A tree is kept for the next caller with the same text: 45 KB take about 15 ms. Offsets in it
    count bytes of UTF-8 (`DocumentSnapshot.utf8_of`).
    """
    grammar = find_grammar(language)
    return _parser(grammar).parse(text.encode("utf-8")) if grammar else None


def parse_within(language: str, text: str, seconds: float) -> Tree | None:
    """Return the syntax tree of a text; None where there is no grammar, or it takes too long.

    Some texts that are no code of the language take a grammar minutes.

    Args:
        language: its LSP id.
        text: to parse.
        seconds: of the processor, at the most.
    """
    grammar = find_grammar(language)
    if grammar is None:
        return None
    parser, data = _parser(grammar), text.encode("utf-8")
    pieces: dict[int, memoryview] = {}
    is_parsed = False
    started = time.process_time()
    look_at = time.monotonic() + seconds

    def is_over(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001  as the parser calls it
        nonlocal look_at
        if time.monotonic() < look_at:
            # Asked every few nodes; the processor's clock is slow to read, and never ahead of this.
            return False
        left = seconds - (time.process_time() - started)
        look_at = time.monotonic() + left
        return left <= 0

    def read(at: int, _place: tuple[int, int]) -> memoryview | bytes:
        if is_parsed:
            # A node asks for its text, and takes nothing else.
            return data[at : at + _CHUNK]
        # The parser asks for a place again and again.
        piece = pieces.get(at)
        if piece is None:
            piece = pieces[at] = memoryview(data)[at : at + _CHUNK]
        return piece

    try:
        return parser.parse(read, progress_callback=is_over)
    except ValueError:
        # What it has begun would be gone on with at the next text.
        parser.reset()
        return None
    finally:
        # The binding (0.25 to 0.26) never lets go of what it was given: each time the whole text,
        # did that not let go of it.
        is_parsed = True
        for piece in pieces.values():
            piece.release()


#: Bytes that a parser is given at once.
_CHUNK = 1 << 16


@cache
def _parser(grammar: Grammar) -> Parser:
    import tree_sitter  # noqa: PLC0415 - 15 ms that a server's start need not pay

    module = importlib.import_module(grammar.module)
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, grammar.factory)()))
