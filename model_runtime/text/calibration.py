"""From the model's own probabilities to what one would bet on.

A language model's probabilities are nearly honest while it was never told what people prefer; what
is left is a little too sure, and a little less so at the beginning of a line. A logistic regression
on the logit of what the model says puts that right (Platt 1999, "Probabilistic outputs for support
vector machines"). Its weights are of one base, and made by `remask eval calibrate`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from pathlib import Path

#: No probability is nearer to 0 or 1 than this: its logit is a number.
_LEAST = 1e-6


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights; without any, the model's word is taken."""

    bias: float = 0.0
    slope: float = 1.0
    #: Added where the span begins a line.
    line_start: float = 0.0

    def confidence(self, log_p: float, *, begins_line: bool) -> float:
        """Return how likely a text is to be right.

        Args:
            log_p: what the model says, in nats.
            begins_line: nothing but blanks stands before the span on its line.
        """
        p = min(max(math.exp(log_p), _LEAST), 1 - _LEAST)
        score = self.bias + self.slope * math.log(p / (1 - p)) + self.line_start * begins_line
        return 1 / (1 + math.exp(-score))


def read_calibration(path: Path) -> Calibration:
    """Return the weights of a base; none where it has no file.

    Raises:
        ModelLoadFailed: the file holds something else.
    """
    if not path.is_file():
        return Calibration()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except msgspec.DecodeError as error:
        raise ModelLoadFailed(f"{path} holds no calibration ({error})") from error
