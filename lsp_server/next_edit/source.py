"""A text with its syntax tree, in characters: trees count bytes, and everything else doesn't."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.syntax.languages import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


@dataclass(frozen=True)
class Source:
    """A text in a language that has a grammar."""

    language: str
    text: str

    @property
    def root(self) -> Node | None:
        """The whole tree; None where the language has no grammar."""
        tree = parse(self.language, self.text)
        return tree.root_node if tree else None

    @cached_property
    def _is_ascii(self) -> bool:
        return self.text.isascii()

    @cached_property
    def _bytes(self) -> bytes:
        return self.text.encode()

    def span(self, node: Node) -> Span:
        """Return where a node stands."""
        return Span(self._characters(node.start_byte), self._characters(node.end_byte))

    def said(self, node: Node) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def _characters(self, n_bytes: int) -> int:
        if self._is_ascii:
            return n_bytes
        return len(self._bytes[:n_bytes].decode(errors="replace"))

    def node_at(self, start: int, end: int) -> Node | None:
        """Return the smallest node that holds a stretch."""
        first, last = (
            at if self._is_ascii else len(self.text[:at].encode()) for at in (start, end)
        )
        return self.root.descendant_for_byte_range(first, last) if self.root else None

    def named(self, word: str) -> Iterator[Node]:
        """Yield the nodes that are a word, as a whole."""
        for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", self.text):
            node = self.node_at(*match.span())
            if node is not None and self.span(node) == match.span():
                yield node


def above(node: Node) -> Iterator[Node]:
    """Yield the nodes around a node, the smallest first."""
    around = node.parent
    while around is not None:
        yield around
        around = around.parent
