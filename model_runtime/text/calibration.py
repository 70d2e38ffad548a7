"""From the model's own probabilities to what one would bet on."""

from __future__ import annotations

import math

import msgspec


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Logistic."""

    bias: float = 0.0
    slope: float = 1.0

    def confidence(self, log_p: float, n_tokens: int) -> float:
        return math.exp(log_p)
