"""Uses of a name that a change has left without a binding.

`for i in range(len(items)):` became `for item in items:`, or an import has another form: the line
binds other names than it did, and the uses of the one that is gone stand for nothing. What stands
in their place may be the name that came instead, or may have to be said otherwise: `items[i]` is
`item` now. So two groups are asked about, one of the expressions that the uses are part of, for the
model to say anew, and one with the new name throughout. Where a name is gone and none
came, nothing is asked: nobody knows what was meant to stand there.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.places import Candidates, Put
from lsp_server.next_edit.source import Source, above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.next_edit.changes import Change
    from lsp_server.next_edit.mentions import Mention

_WORD = re.compile(r"[^\W\d]\w*")
#: Parts of expressions that are said anew with the name that they begin with or hold.
_CHAINS = frozenset(
    {
        "attribute", "subscript", "member_expression", "subscript_expression", "index_expression",
        "selector_expression", "field_expression", "field_access", "array_access",
        "scoped_identifier", "bracket_index_expression", "dot_index_expression",
    }
)  # fmt: skip
#: Words of the changed lines that are looked at, and uses that a group may have.
MAX_WORDS, MAX_USES = 24, 40


def follow_unbound(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the uses of the name that a change unbound, as groups that are asked about.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
    """
    if len(changes) != 1:
        return []
    (change,) = changes
    is_replacement = _WORD.fullmatch(change.old) and _WORD.fullmatch(change.new)
    if is_replacement or "\n" in change.old + change.new:
        # The same replacement elsewhere is for `candidates`; several lines are too much to tell.
        return []
    before = text[: change.start] + change.old + text[change.end :]
    was = _bound(language, before, _lines(before, change.start, change.start + len(change.old)))
    lines = _lines(text, change.start, change.end)
    now = _bound(language, text, lines)
    gone, come = was.keys() - now.keys(), now.keys() - was.keys()
    if len(gone) != 1 or not come:
        return []
    (word,) = gone
    uses = _uses(language, text, lines, word, was[word])
    if not 0 < len(uses) <= MAX_USES:
        return []
    source = Source(language, text)
    spans = sorted({_expression(source, use) for use in uses})
    found = []
    # Where all that stood there still does, the new name is another one of the same thing.
    is_alias = len(come) == 1 and not change.old
    if not is_alias and all(first.end <= second.start for first, second in pairwise(spans)):
        found.append([Put(span, "", is_open=True) for span in spans])
    if len(come) == 1:
        (name,) = come
        found.append([Put(use.span, name) for use in uses])
    return [Candidates.of(puts, is_bound=True) for puts in found]


def _lines(text: str, start: int, end: int) -> Span:
    """Return the whole lines that hold a stretch."""
    last = text.find("\n", end)
    return Span(text.rfind("\n", 0, start) + 1, len(text) if last < 0 else last)


def _bound(language: str, text: str, lines: Span) -> dict[str, Mention]:
    """Return the variables that some lines bind, by name."""
    words = dict.fromkeys(_WORD.findall(text[lines.start : lines.end]))
    if len(words) > MAX_WORDS:
        return {}
    found: dict[str, Mention] = {}
    for word in words:
        for mention in find_mentions(language, text, word):
            is_here = lines.start <= mention.span.start < lines.end
            if is_here and mention.is_binding and mention.role == "variable":
                found.setdefault(word, mention)
    return found


def _uses(language: str, text: str, lines: Span, word: str, bound: Mention) -> list[Mention]:
    """Return what stands for nothing now; none where the word is bound elsewhere, too."""
    alike = [one for one in find_mentions(language, text, word) if one.role == "variable"]
    bound_in = {one.scope for one in alike if one.is_binding}
    if bound.scope in bound_in:
        return []
    same = [
        one
        for one in alike
        if (one.scope == bound.scope if bound.scope else one.scope not in bound_in)
    ]
    return [one for one in same if not lines.start <= one.span.start < lines.end]


def _expression(source: Source, use: Mention) -> Span:
    """Return where the smallest expression stands that is said anew with a use."""
    node = source.node_at(*use.span)
    if node is None:
        return use.span
    for around in above(node):
        if around.type not in _CHAINS:
            break
        return source.span(around)
    return use.span
