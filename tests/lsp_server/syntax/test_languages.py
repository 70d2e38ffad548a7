"""The table of grammars."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import PurePath

import pytest

from lsp_server.syntax.languages import find_grammar, guess_language, parse, parse_within


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.py", "python"),
        ("A.TSX", "typescriptreact"),
        ("a.h", "c"),
        ("a.txt", ""),
        ("Makefile", ""),
    ],
)
def test_a_suffix_tells_the_language(name: str, language: str) -> None:
    """On the command line no editor says what a file is; an unknown suffix is no language."""
    assert guess_language(PurePath(name)) == language


@pytest.mark.parametrize("alias", ["tsx", "jsx", "c++"])
def test_other_names_of_a_language_have_its_grammar(alias: str) -> None:
    """Editors do not agree on all ids."""
    assert find_grammar(alias) is not None


def test_the_same_text_is_parsed_once() -> None:
    """The list of code actions and the check after a fill share trees."""
    text = "x = 1\n"

    assert parse("python", text) is parse("python", text)


def test_what_was_parsed_within_a_time_is_let_go_of() -> None:
    """An index parses what is typed at every key, all day; its trees still know their text."""
    text = "value = 1\n" * 5000
    parse_within("python", text, 60)
    tracemalloc.start()
    try:
        for _ in range(20):
            tree = parse_within("python", text, 60)
            assert tree is not None
            del tree
        gc.collect()
        n_kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_kept < len(text)
    tree = parse_within("python", text, 60)
    assert tree is not None
    assert tree.root_node.named_child(0).text == b"value = 1"  # type: ignore[union-attr]  # has one
