"""A change of a text that stands there, and how likely it is to be right.

Most code is right, so a change has to be much likelier than what stands there: as a whole, and
where it is made; a sum of small gains elsewhere is a matter of style. A text gains merely by being
shorter, for each token that is left out is one less to doubt; and faults are small, the larger a
change, the more it is another idea than a repair. So a change pays for its tokens, and more for
those that it leaves out: a prior over edits, as in a noisy channel (Kernighan, Church and Gale
1990). What it costs was fitted by `remask eval edits --tasks tuning`, on faults and right bodies
that no figure tells of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_runtime.text.trim import n_shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.models.base import Judgement
    from model_runtime.modes.proposals import JudgedText
    from model_runtime.text.spelling import Syntax

#: Nats by which a change has to be worth more than the text as it stands, to be as likely right as
#: wrong: of a line; of several; and by how many less where somebody told that something is wrong.
MARGIN_LINE = 8.0
MARGIN = 5.0
TOLD = 6.0
TOLD_LINE = 4.0
#: Nats that a token of a change costs, and one that it leaves out; a line's changes are small.
EACH_TOKEN = 0.15
LEFT_OUT = 2.0
#: Nats that make e-fold odds.
NATS = 1.5
#: Tokens behind a change by which it is judged where it is made.
N_BEHIND = 12


@dataclass(frozen=True)
class Change:
    """A text beside the one that stands there."""

    text: JudgedText
    #: Nats that it gains as a whole, and up to a few tokens behind the change.
    gain: float
    gain_here: float
    #: Where it changes the text that stands there, in tokens of that, and by how many tokens.
    start: int
    end: int
    n_new: int

    @property
    def worth(self) -> float:
        """What it gains less what it costs, in nats."""
        return min(self.gain, self.gain_here) - _cost(self.end - self.start, self.n_new)

    def logit(self, *, is_line: bool, is_told: bool) -> float:
        """Return the log-odds that it is right.

        Args:
            is_line: the text is one line.
            is_told: somebody said that something is wrong there.
        """
        if is_line:
            return (min(self.gain, self.gain_here) - MARGIN_LINE + TOLD_LINE * is_told) / NATS
        return (self.worth - MARGIN + TOLD * is_told) / NATS


def change_of(first: JudgedText, text: JudgedText) -> Change:
    """Return what makes a text of the one that stands there."""
    old, new = first.token_ids, text.token_ids
    head, tail = ends(old, new)
    gain = text.score - first.score
    # Where a text is judged by what it changes, that is what it gains there.
    is_here = text.relative is not None
    return Change(
        text=text,
        gain=gain,
        gain_here=gain
        if is_here
        else _gain_here(first, head, len(new) - tail, tail, text.judged.own),
        start=head,
        end=len(old) - tail,
        n_new=len(new) - tail - head,
    )


def worth_here(first: JudgedText, token_ids: Sequence[int], judged: Judgement) -> float:
    """Return what a change is worth by its own place alone, in nats.

    Args:
        first: what stands there.
        token_ids: what might.
        judged: of these, at least up to `N_BEHIND` tokens behind where they differ.
    """
    head, tail = ends(first.token_ids, token_ids)
    gain = _gain_here(first, head, len(token_ids) - tail, tail, judged.own)
    return gain - _cost(len(first.token_ids) - tail - head, len(token_ids) - tail - head)


def _gain_here(first: JudgedText, start: int, end: int, n_tail: int, own: Tensor) -> float:
    before = first.judged.own
    here = own[start : end + N_BEHIND].sum()
    return float(here - before[start : len(before) - n_tail + N_BEHIND].sum())


def _cost(n_old: int, n_new: int) -> float:
    return EACH_TOKEN * max(n_old, n_new) + LEFT_OUT * max(0, n_old - n_new)


def ends(old: Sequence[int], new: Sequence[int]) -> tuple[int, int]:
    """Return how many tokens two texts share at their starts, and at their ends behind that."""
    head = n_shared(old, new)
    shortest = min(len(old), len(new)) - head
    return head, min(shortest, n_shared(old[::-1], new[::-1]))


def is_same(one: str, other: str, syntax: Syntax) -> bool:
    """Say whether two texts differ in how they are set only: blanks, quotes, line ends."""
    has_braces = "{" in one + other and not syntax.indents_by
    return _squeezed(one, has_braces=has_braces) == _squeezed(other, has_braces=has_braces)


def _squeezed(text: str, *, has_braces: bool) -> str:
    """Return a text without what it is set by; where no brace tells, a line's place counts."""
    lines = [line for line in text.replace("'", '"').split("\n") if line.strip()]
    kept = ["".join(line.split()) for line in lines]
    if has_braces:
        # A line may end behind one of these, or before one, and may as well go on.
        return re.sub(r";(?=\n|\}|\Z)|(?<=[{(\[;,}])\n|\n(?=[})\];])", "", "\n".join(kept))
    # What stands before the first one stands before the text.
    starts = [line[: len(line) - len(line.lstrip())] for line in lines[1:]]
    return "\n".join(
        start + line.rstrip(";") for start, line in zip(["", *starts], kept, strict=False)
    )
