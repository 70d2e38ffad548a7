"""Where a member of a class is used, that has another name where it is declared.

A tree knows no types: `self.balance` in the same class is it, `account.balance` may be. So there
are two groups, and of the second one only those are meant that become doubtful.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.next_edit.candidates import meaning, moved, taken_back
from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.places import Candidates, Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.next_edit.changes import Change

#: Languages whose methods stand outside of what declares the members.
APART = frozenset({"rust", "go", "c", "cpp", "c++"})


def follow_member(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the uses of a member that was renamed where it is declared.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
    """
    if not changes or not (changes[0].old.isidentifier() and changes[0].new.isidentifier()):
        return []
    first = meaning(language, text, changes)
    if first is None or not first.is_binding:
        return []
    own = first.owner or (first.scope if first.role == "member" else "")
    if not own.startswith("class"):
        return []
    before, here = taken_back(text, changes)
    members = [
        moved(mention, changes)
        for mention in find_mentions(language, before, changes[0].old)
        if mention.role == "member" and mention.span.start not in here
    ]
    groups = []
    # Where it is declared by `self.name = …` the same replacement has found these.
    if first.role != "member" or first.scope != own:
        groups.append(([one for one in members if one.scope == own], False))
    others = [one for one in members if one.scope != own]
    if language not in APART:
        others = [one for one in others if one.scope.startswith("of ")]
    groups.append((others, True))
    return [
        Candidates.of(
            (Put(one.span, changes[0].new) for one in found), is_bound=True, is_loose=is_loose
        )
        for found, is_loose in groups
        if found
    ]
