"""Renames: something gets another name where it is bound, and its uses are wanted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.tasks.cutting import IDENTIFIER, cut, replaced

if TYPE_CHECKING:
    import random

    from model_runtime.protocol.eval_tasks import NextEditTask

_MIN_USES, _MAX_USES = 1, 40
#: Places where a name may be bound: more, and it is a few things under one name.
_MAX_BINDINGS = 3


def rename(document: dict[str, Any], names: list[str], rng: random.Random) -> NextEditTask | None:
    """Give something of a file another name where it is bound; None where nothing fits."""
    language, text = document["language"], cut(document["text"], rng)
    words = sorted(set(IDENTIFIER.findall(text)))
    rng.shuffle(words)
    for word in words[:40]:
        mentions = find_mentions(language, text, word)
        bound = next((mention for mention in mentions if mention.is_binding), None)
        if bound is None:
            continue
        same = [m for m in mentions if (m.role, m.scope) == (bound.role, bound.scope)]
        others = [m for m in same if m is not bound]
        is_function = bound.role == "variable" and not bound.scope
        if is_function:
            others = [m for m in mentions if m.role == "variable" and m is not bound]
            if any(m.scope and m.is_binding for m in others):
                continue
        if same[0] is not bound or not _MIN_USES <= len(others) <= _MAX_USES:
            continue
        if sum(m.is_binding for m in same) > _MAX_BINDINGS:
            continue
        new = _other_name(word, names, rng)
        if re.search(rf"(?<!\w){new}(?!\w)", text):
            continue
        kind = "member" if bound.role == "member" else "function" if is_function else "local"
        return replaced(document, text, bound, new, others, f"rename {kind}")
    return None


def _other_name(word: str, names: list[str], rng: random.Random) -> str:
    """Return another name in the same style: a longer or a shorter one, or some other word."""
    is_snake = "_" in word.strip("_") or word.islower()
    ways = ["other", "longer"] + (["shorter"] if "_" in word.strip("_") else [])
    way = rng.choice(ways)
    if way == "shorter":
        return rng.choice([part for part in word.split("_") if part]) + "_"[:0]
    if way == "longer":
        extra = rng.choice(("new", "raw", "base", "current", "local", "source", "extra"))
        return f"{extra}_{word}" if is_snake else extra + word[:1].upper() + word[1:]
    alike = [
        name
        for name in names
        if name.islower() == word.islower() and name[:1].islower() == word[:1].islower()
    ]
    return rng.choice(alike or names)
