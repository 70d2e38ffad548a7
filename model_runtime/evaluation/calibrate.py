"""`remask eval calibrate`: make the weights that turn a base's probabilities into confidence.

Lines that are used for nothing else are typed, at each pause ghost text is made in full, and each
suggestion that may be cut out of it is held against what stands in the file. The weights are those
under which that is the likeliest (logistic regression, by Newton's method).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
import torch

from model_runtime.engines.loading import CALIBRATION_PATH
from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.asking import ask
from model_runtime.evaluation.heldout import read_lines
from model_runtime.evaluation.logistic import fitted
from model_runtime.evaluation.run import WARM_UP, describe_machine, journal_of, spread
from model_runtime.evaluation.typed import Made, Maker, by_engine
from model_runtime.evaluation.typist import line_of, pauses
from model_runtime.settings import flags_of, load_settings
from model_runtime.text.calibration import Calibration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.evaluation.typist import Ghost

#: Next to none: there are examples enough for three weights.
_PULL = 1e-6
#: From which confidence on suggestions are cut out.
_LEVELS = [level / 20 for level in range(4, 19)]


class Example(msgspec.Struct, frozen=True):
    """A suggestion, and whether the file agrees to its end."""

    confidence: float
    n_chars: int
    is_right: bool


def main(arguments: argparse.Namespace) -> str:
    """Ask, fit, write the weights and say what they are."""
    lines = filter(None, map(line_of, spread(read_lines(arguments.tasks), arguments.limit)))
    # The base's own numbers are wanted.
    settings = load_settings(flags_of(arguments))
    with contextlib.closing(LocalEngine(settings, calibrated=False)) as engine:
        ask(engine, WARM_UP.request())
        machine = describe_machine(engine)
        journal = journal_of(arguments, "calibrate", machine, Made, "by", "id", "at")
        made = Maker("base", by_engine(engine, "calibrate", 0.0), journal)
        found = [
            example
            for line in lines
            for at in pauses(line)
            for example in examples(line, at, made(line, at))
        ]
    weights = fit(found)
    (arguments.out / CALIBRATION_PATH.name).write_bytes(msgspec.json.encode(weights) + b"\n")
    return f"{len(found)} suggestions: {msgspec.to_builtins(weights)}\n"


def examples(line: EvalTask, at: int, ghost: Ghost) -> Iterable[Example]:
    """Hold each suggestion that may be shown of what was made for a place against the line."""
    for shown in dict.fromkeys(map(ghost.shown, _LEVELS)):
        confidence = ghost.confidence(shown)
        if shown and confidence is not None:
            yield Example(confidence, len(shown), line.reference[at:].startswith(shown))


def fit(found: list[Example]) -> Calibration:
    """Return the weights under which the examples are likeliest.

    Args:
        found: with confidence as the base itself has it, nothing calibrated.
    """
    if not found:
        # The base is taken at its word.
        return Calibration()
    p = torch.tensor([one.confidence for one in found], dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    n_chars = torch.tensor([one.n_chars for one in found], dtype=torch.float64)
    features = torch.stack([torch.ones_like(p), p.logit(), n_chars.log()], 1)
    bias, slope, length = fitted(features.tolist(), [one.is_right for one in found], pull=_PULL)
    return Calibration(bias=bias, slope=slope, length=length)
