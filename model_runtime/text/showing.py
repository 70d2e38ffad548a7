"""What of a text is worth showing: as far as it is sure enough, and no half word of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.protocol import Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Fewer characters, blanks aside, are typed sooner than read.
MIN_SHOWN = 2


def sure_part(text: str, stretches: Sequence[Stretch], least: float) -> str:
    """Return the beginning of a text that is at least so sure; empty where it is not worth a look.

    It ends where a stretch does and no word goes on, without blanks at its end.

    Args:
        text: what might be shown.
        stretches: of it; a text of which nothing is known is returned whole.
        least: confidence, 0 to 1.
    """
    if not stretches or stretches[-1].confidence >= least:
        return text
    end = at = 0
    for stretch in stretches:
        at += stretch.n_chars
        if stretch.confidence < least:
            break
        if not _is_inside_word(text, at):
            end = at
    shown = text[:end].rstrip()
    return shown if sum(not c.isspace() for c in shown) >= MIN_SHOWN else ""


def silence(sure: float) -> tuple[Stretch, ...]:
    """Return the stretches of an empty text: what was not shown began no surer than this."""
    return (Stretch(n_chars=0, confidence=sure),)


def up_to(stretches: Sequence[Stretch], n_chars: int) -> tuple[Stretch, ...]:
    """Return the stretches of a text's first characters."""
    found: list[Stretch] = []
    for stretch in stretches:
        n_here = min(stretch.n_chars, n_chars)
        if n_here <= 0:
            break
        found.append(Stretch(n_chars=n_here, confidence=stretch.confidence))
        n_chars -= n_here
    return tuple(found)


def has_word(text: str) -> bool:
    """Say whether there is more than marks and blanks in a text."""
    return any(map(_of_word, text))


def _is_inside_word(text: str, at: int) -> bool:
    """Say whether a place has letters or digits of one word on both sides."""
    before, behind = text[at - 1 : at], text[at : at + 1]
    return _of_word(before) and _of_word(behind)


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_"
