"""Silence: changes that nothing follows from, though there is what might."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lsp_server.next_edit.mentions import find_mentions
from lsp_server.next_edit.tasks.cutting import cut, replaced

if TYPE_CHECKING:
    import random

    from lsp_server.next_edit.mentions import Mention
    from model_runtime.protocol.eval_tasks import NextEditTask


def silence(document: dict[str, Any], names: list[str], rng: random.Random) -> NextEditTask | None:
    """Change something that nothing else follows from; None where nothing fits."""
    language, text = document["language"], cut(document["text"], rng)
    words = sorted(set(re.findall(r"(?<!\w)\w+(?!\w)", text)))
    rng.shuffle(words)
    kind = rng.choice(("other variable", "other variable", "literal", "prose"))
    for word in words[:80]:
        mentions = find_mentions(language, text, word)
        if len(mentions) < 2:  # noqa: PLR2004  else there is nothing to keep silent about
            continue
        if kind == "other variable":
            uses = [m for m in mentions if m.role == "variable" and m.scope and not m.is_binding]
            if not uses:
                continue
            use = rng.choice(uses)
            others = _bound_in(language, text, use, words)
            if not others:
                continue
            new = rng.choice(others)
        else:
            uses = [m for m in mentions if m.role == kind]
            if not uses:
                continue
            use = rng.choice(uses)
            if kind == "literal" and word.isdigit():
                new = str(int(word) + rng.choice((1, 2, 8)))
            elif kind == "prose" and word.isalpha():
                new = rng.choice(names)
            else:
                continue
        return replaced(document, text, use, new, [], f"silence {kind}")
    return None


def _bound_in(language: str, text: str, use: Mention, words: list[str]) -> list[str]:
    """Return other words that are bound in the function of a use, before it."""
    found = []
    for word in words[:200]:
        for mention in find_mentions(language, text, word):
            if mention.is_binding and mention.scope == use.scope and mention.span < use.span:
                if text[use.span.start : use.span.end] != word:
                    found.append(word)
                break
    return found
