"""How likely a next edit is to be wanted, from what the base says of it.

A logistic curve over a few numbers. Its weights are set by hand, looking at 78 tasks, and the last
three looking at the scenarios: a beginning.
`remask eval next-edit --fit` fits them where there are more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import Change, Group

#: Nats beyond which more of them say nothing more.
MOST = 25.0
NAMES = (
    "bias", "gain", "due", "bound", "known", "text", "names", "letters", "places",
    "open", "put in", "loose",
)  # fmt: skip
WEIGHTS = (-6.0, 0.3, 0.12, 5.5, -3.0, -1.5, 0.0, 0.5, 0.0, -1.5, -1.5, -1.0)
#: Letters of a word from which on it is not said by chance.
LETTERS = 12


def features(changes: Sequence[Change], group: Group, gain: float, due: float) -> tuple[float, ...]:
    """Return the numbers that decide, in the order of `NAMES`.

    Args:
        changes: what the user replaced by what.
        group: places of the same replacement.
        gain: nats by which the group makes the file likelier.
        due: nats of them that are due to the changes.
    """
    old, new = changes[0].old, changes[0].new
    return (
        1.0,
        max(-MOST, min(MOST, gain)),
        max(-MOST, min(MOST, due)),
        float(group.is_bound),
        float(group.is_known),
        float(group.is_text),
        float(old.isidentifier() and new.isidentifier()),
        min(len(old.strip()), LETTERS) / LETTERS,
        math.log(len(group.places)),
        float(any(place.is_open for place in group.places)),
        float(any(place.is_open and place.start == place.end for place in group.places)),
        float(group.is_loose),
    )


def confidence_of(changes: Sequence[Change], group: Group, gain: float, due: float) -> float:
    """Return how likely a group is to be wanted, 0 to 1; see `features`."""
    return chance(features(changes, group, gain, due))


def chance(numbers: Sequence[float]) -> float:
    """Return how likely what has these features is to be wanted, 0 to 1."""
    total = sum(weight * value for weight, value in zip(WEIGHTS, numbers, strict=True))
    return 1 / (1 + math.exp(-total))
