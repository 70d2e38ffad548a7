"""From the model's own probabilities to what one would bet on.

A language model's probabilities are nearly honest; but a suggestion ends where the model begins to
doubt, and such ends are wrong more often than its numbers say, those of long texts most. A logistic
regression on the logit of what the model says puts that right (Platt 1999, "Probabilistic outputs
for support vector machines"). Its weights are of one base, and made by `remask eval calibrate`.
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
    #: Of the logarithm of the text's length.
    length: float = 0.0

    def confidence(self, log_p: float, n_chars: int) -> float:
        """Return how likely a text is to be right.

        Args:
            log_p: what the model says, in nats.
            n_chars: of the text.
        """
        p = min(max(math.exp(log_p), _LEAST), 1 - _LEAST)
        score = self.bias + self.slope * math.log(p / (1 - p))
        score += self.length * math.log(max(1, n_chars))
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
