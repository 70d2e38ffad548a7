"""Which mode a family offers: said once, for the refusal in words and for the table of the docs.

A mode needs a model to denoise a canvas, which every family does, and most need it to say how
likely a text is. Whether a family can is declared on its class (`Denoiser.judges`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.errors import UnsupportedPairing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model_runtime.models.base import Denoiser
    from model_runtime.protocol import InfillRequest, Task

#: What a family has to judge texts for.
JUDGING: dict[Task, str] = {
    "rewrite": "which tokens are the least certain",
    "repair": "what it doubts",
    "score": "what it doubts",
}
_SEES = {
    "file": "the whole file",
    "blocks": "blocks, the last one not before it is begun",
    "left": "what stands to the left, and a canvas behind it",
}
_YES, _NO = "yes", "no"


def check_offered(request: InfillRequest, denoiser: Denoiser) -> None:
    """Refuse a mode that a model's family does not offer.

    Raises:
        UnsupportedPairing: says which, and what the family does offer.
    """
    if denoiser.judges or request.mode not in JUDGING:
        return
    if request.mode == "rewrite" and request.strength in (0, 1):
        return
    raise UnsupportedPairing(
        f"the {denoiser.name!r} family can't say how likely a text is, so it can't tell "
        f"{JUDGING[request.mode]} and does not {request.mode}; it fills, fills holes, and rewrites "
        "with strength 1"
    )


def offered(family: type[Denoiser]) -> dict[str, str]:
    """Return for each mode whether a family offers it, in a word or a few."""
    judged = _YES if family.judges else _NO
    filled = "by its prompt's marks, else in words" if family.sees == "blocks" else _YES
    return {
        "sees": _SEES[family.sees],
        "infill": filled,
        "holes": "at once" if family.sees == "file" else "one after another",
        "rewrite": _YES if family.judges else "with strength 1",
        "repair": judged,
        "score": judged,
        "next edits": judged,
        "in words": "where it has a chat template",
    }


def table(families: Iterable[type[Denoiser]]) -> str:
    """Return what each family offers as a table in Markdown."""
    rows = [{"family": f"`{family.name}`", **offered(family)} for family in families]
    lines: list[Sequence[str]] = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [list(row.values()) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
