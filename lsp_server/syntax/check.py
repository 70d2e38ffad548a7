"""Whether a text still parses after an edit.

A file that is being written seldom parses as a whole, so the question is only what the edit broke:
faults that stood there before do not count. A language without a grammar has no faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.syntax.languages import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node


#: A larger text is not looked at: it would keep the server for more than a tenth of a second.
MAX_CHECKED = 300_000


def find_faults(language: str, text: str) -> list[Span]:
    """Return where a text does not parse: its ERROR and MISSING nodes, in order."""
    tree = parse(language, text)
    if tree is None or not tree.root_node.has_error:
        return []
    data = text.encode("utf-8")
    return [
        Span(len(data[:start].decode()), len(data[:end].decode()))
        for start, end in _fault_bytes(tree.root_node)
    ]


def find_new_faults(language: str, before: str, after: str) -> list[Span]:
    """Return the faults of `after`, as spans of it, that an edit of `before` brought in.

    An edit may move or widen a fault without adding one, so there are new ones only where there
    are more than before. A text over `MAX_CHECKED` characters has none.
    """
    if len(after) > MAX_CHECKED:
        return []
    old, new = find_faults(language, before), find_faults(language, after)
    if len(new) <= len(old):
        return []
    head, tail = _common_ends(before, after)
    shift = len(after) - len(before)
    kept = {Span(*fault) for fault in old if fault.end <= head}
    kept |= {
        Span(fault.start + shift, fault.end + shift)
        for fault in old
        if fault.start >= len(before) - tail
    }
    return [fault for fault in new if fault not in kept]


def _fault_bytes(node: Node) -> Iterator[tuple[int, int]]:
    if node.is_error or node.is_missing:
        yield node.start_byte, node.end_byte
    for child in node.children:
        if child.has_error or child.is_missing:
            yield from _fault_bytes(child)


def _common_ends(before: str, after: str) -> tuple[int, int]:
    """Return the lengths of the head and of the tail that two texts share."""
    shortest = min(len(before), len(after))
    head = 0
    while head < shortest and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shortest - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return head, tail
