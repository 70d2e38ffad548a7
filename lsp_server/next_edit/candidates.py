"""The same replacement at other places: what may have to follow a change.

Words are taken as wholes, never inside of others, and only where the tree lets them mean the same
as the changed one. Places that hang together make a group, which is put right as a whole or not at
all; comments and strings are a group of their own. Which of them are right is for the model.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.places import Candidates, Put
from lsp_server.syntax.languages import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.next_edit.changes import Change
    from lsp_server.next_edit.mentions import Mention

_WORD = re.compile(r"\w+\Z")
#: What is put in place of a word, or an expression, is not longer than this.
MAX_TEXT = 80
#: An expression has so many characters, or it stands everywhere.
MIN_EXPRESSION = 4
#: Languages in which a method says the members of its class without an object before them.
IMPLICIT = frozenset({"java", "cpp", "c++"})
#: A word that comments and strings have oftener is one of the language that people speak.
MAX_PROSE = 12


def find_candidates(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the groups of places that a change may concern, the nearest in meaning first.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`: one, or several that are the same replacement.
    """
    if not changes:
        return []
    old, new = changes[0].old, changes[0].new
    if not new.strip() or "\n" in old + new or len(new) > MAX_TEXT:
        return []
    if _WORD.match(old) and len(old) <= MAX_TEXT:
        return _words(language, text, changes)
    return _expressions(language, text, changes)


def find_elsewhere(
    language: str, text: str, changes: Sequence[Change], other: str
) -> list[Candidates]:
    """Return the group of places of another file that a change may concern, if there is one.

    What is bound inside of a function concerns no other file.

    Args:
        language: of both.
        text: the changed document, as it stands.
        changes: of `meant`.
        other: the other file.
    """
    if not changes or not _WORD.match(changes[0].old) or not changes[0].new.isidentifier():
        return []
    old, new = changes[0].old, changes[0].new
    if old not in other:
        return []
    first = meaning(language, text, changes)
    if first is None or (first.scope and first.role != "member"):
        return []
    alike = [one for one in find_mentions(language, other, old) if one.role == first.role]
    bound_in = {one.scope for one in alike if one.is_binding and one.scope}
    if first.role == "member":
        bound_in = set()
    found = [one for one in alike if one.scope not in bound_in]
    if not found:
        return []
    return [
        Candidates(
            tuple(Put(one.span, _text(one, old, new)) for one in found),
            is_bound=first.is_binding,
            is_known=any(one.role == first.role for one in find_mentions(language, other, new)),
        )
    ]


def meaning(language: str, text: str, changes: Sequence[Change]) -> Mention | None:
    """Return what the changed word meant before the change, where it is bound if it is."""
    before, here = taken_back(text, changes)
    mentions = find_mentions(language, before, changes[0].old)
    own = [mention for mention in mentions if mention.span.start in here]
    return next((mention for mention in own if mention.is_binding), own[0] if own else None)


def _words(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    old, new = changes[0].old, changes[0].new
    changed = {change.start for change in changes}
    # What the changed word means shows in the tree of the text before the change.
    before, here = taken_back(text, changes)
    first = meaning(language, text, changes)
    if first is None or first.role == "other":
        return []
    others = [
        moved(mention, changes)
        for mention in find_mentions(language, before, old)
        if mention.span.start not in here
    ]
    known = find_mentions(language, text, new) if _WORD.match(new) else []
    known = [mention for mention in known if mention.span.start not in changed]
    groups = []
    for members, is_same in _grouped(first, others, is_implicit=language in IMPLICIT):
        scopes = {member.scope for member in members}
        is_known = any(
            mention.role == members[0].role and mention.scope in scopes for mention in known
        )
        groups.append(
            Candidates(
                tuple(Put(member.span, _text(member, old, new)) for member in members),
                # What an expression stands for now is no other name for the same.
                is_bound=first.is_binding and is_same and new.isidentifier(),
                is_known=is_known,
                is_text=members[0].role == "prose",
                is_loose=first.role == "literal",
            )
        )
    return groups


def _text(mention: Mention, old: str, new: str) -> str:
    """Return what is put at a mention; a label that is its value as well stays as the label."""
    return f"{old}: {new}" if mention.is_shorthand else new


def _grouped(
    first: Mention, others: Sequence[Mention], *, is_implicit: bool
) -> list[tuple[list[Mention], bool]]:
    """Return what can mean the same as the changed word, and what may; True for the former."""
    alike = [mention for mention in others if mention.role == first.role]
    bound_in = {mention.scope for mention in alike if mention.is_binding and mention.scope}
    if first.owner and first.role == "variable" and not first.scope and not is_implicit:
        # Of a class: reached through an object, see `members`.
        same, is_own = [], True
    elif first.scope:
        same = [mention for mention in alike if mention.scope == first.scope]
        is_own = first.is_binding or first.scope in bound_in
    else:
        # Of the file: everywhere but where a function binds the word for itself.
        same = [mention for mention in alike if mention.scope not in bound_in]
        is_own = True
    elsewhere = [
        mention
        for mention in alike
        if mention not in same and not is_own and mention.scope not in bound_in
    ]
    prose = [
        mention
        for mention in others
        if mention.role == "prose" != first.role
        and (mention.scope == first.scope or (first.role == "literal" and not first.scope))
    ]
    labels = [
        mention
        for mention in others
        if mention.role == "label" != first.role and mention.callee == first.callee != ""
    ]
    found = [(same, True), (labels, True), (elsewhere, False), (prose, False)]
    return [
        (members, is_same)
        for members, is_same in found
        if members and not (members[0].role == "prose" and len(members) > MAX_PROSE)
    ]


def _expressions(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return other places of the smallest expression around a change that has any."""
    tree = parse(language, text)
    if tree is None:
        return []
    change = changes[0]
    first = len(text[: change.start].encode())
    node = tree.root_node.descendant_for_byte_range(first, first + len(change.new.encode()))
    while node is not None and node.end_byte - node.start_byte <= MAX_TEXT:
        start = len(text.encode()[: node.start_byte].decode())
        new = text[start : start + len((node.text or b"").decode())]
        if start <= change.start and change.end <= start + len(new) and "\n" not in new:
            old = new[: change.start - start] + change.old + new[change.end - start :]
            is_telling = re.match(r"[\w\"'`]", old) and re.search(r"\w", old) and old != new
            if len(old.strip()) >= MIN_EXPRESSION and is_telling:
                spans = _occurrences(text, old, new)
                if spans:
                    return [Candidates(tuple(Put(span, new) for span in spans))]
        node = node.parent
    return []


def _occurrences(text: str, old: str, new: str) -> list[Span]:
    before = r"(?<!\w)" if re.match(r"\w", old) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", old) else ""
    found = re.finditer(f"{before}{re.escape(old)}{after}", text)
    taken = [Span(*match.span()) for match in re.finditer(re.escape(new), text)]
    return [
        span
        for span in (Span(*match.span()) for match in found)
        if not any(span.start < other.end and other.start < span.end for other in taken)
    ]


def taken_back(text: str, changes: Sequence[Change]) -> tuple[str, set[int]]:
    """Return the text before some changes, and where in it they were made."""
    pieces, starts, end, length = [], set(), 0, 0
    for change in changes:
        between = text[end : change.start]
        length += len(between)
        starts.add(length)
        pieces += [between, change.old]
        length += len(change.old)
        end = change.end
    return "".join([*pieces, text[end:]]), starts


def moved(mention: Mention, changes: Sequence[Change]) -> Mention:
    """Return a mention of the text before some changes as it stands in the text behind them."""
    start, end = mention.span
    for change in changes:
        if change.start <= start:
            start += len(change.new) - len(change.old)
            end += len(change.new) - len(change.old)
    return replace(mention, span=Span(start, end))
