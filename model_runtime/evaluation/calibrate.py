"""`remask eval calibrate`: make the weights that turn a base's probabilities into confidence.

Lines that are used for nothing else are typed, at each pause ghost text is made in full, and each
stretch of it is held against what stands in the file. The weights are those under which that is the
likeliest (logistic regression, by Newton's method).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch

from model_runtime.engines.loading import CALIBRATION_PATH
from model_runtime.engines.local import LocalEngine
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.run import Journal, describe_machine, spread
from model_runtime.evaluation.typed import Made, Maker, by_engine
from model_runtime.evaluation.typist import line_of, pauses
from model_runtime.settings import flags_of, load_settings
from model_runtime.text.calibration import Calibration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from model_runtime.evaluation.typist import Ghost, Line

_N_ITERATIONS = 50
#: Keeps weights small that few examples speak for.
_RIDGE = 1e-2


class Example(msgspec.Struct, frozen=True):
    """A stretch of a suggestion, and whether the file agrees up to its end."""

    confidence: float
    begins_line: bool
    is_right: bool


def main(arguments: argparse.Namespace) -> str:
    """Ask, fit, write the weights and say what they are."""
    tasks = [task for task in read_tasks(arguments.tasks) if task.single_line]
    engine = LocalEngine(load_settings(flags_of(arguments)))
    try:
        machine = describe_machine(engine)
        path = arguments.out / "calibrate.jsonl"
        journal = Journal(path, machine, Made, resume=arguments.resume)
        make = Maker("base", by_engine(engine, "calibrate", 0.0), journal)
        found: list[Example] = []
        for line in filter(None, map(line_of, spread(tasks, arguments.limit))):
            for at in pauses(line):
                found += examples(line, at, make(line, at))
    finally:
        engine.close()
    weights = fit(found)
    (arguments.out / CALIBRATION_PATH.name).write_bytes(msgspec.json.encode(weights) + b"\n")
    return f"{len(found)} stretches: {msgspec.to_builtins(weights)}\n"


def examples(line: Line, at: int, ghost: Ghost) -> Iterable[Example]:
    """Hold each stretch of what was made for a place against the line."""
    end = 0
    for n_chars, confidence in ghost.stretches:
        end += n_chars
        is_right = line.text[at:].startswith(ghost.text[:end].rstrip())
        yield Example(confidence, at == 0, is_right)


def fit(found: list[Example]) -> Calibration:
    """Return the weights under which the examples are likeliest.

    Args:
        found: with confidence as the base itself has it, nothing calibrated.
    """
    p = torch.tensor([one.confidence for one in found], dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    begins = torch.tensor([one.begins_line for one in found], dtype=torch.float64)
    right = torch.tensor([one.is_right for one in found], dtype=torch.float64)
    features = torch.stack([torch.ones_like(p), p.logit(), begins], 1)
    weights = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    ridge = _RIDGE * torch.eye(3, dtype=torch.float64)
    for _ in range(_N_ITERATIONS):
        said = (features @ weights).sigmoid()
        curvature = features.T @ (features * (said * (1 - said))[:, None]) + ridge
        weights = weights + torch.linalg.solve(curvature, features.T @ (right - said))
    bias, slope, line_start = weights.tolist()
    return Calibration(bias=bias, slope=slope, line_start=line_start)
