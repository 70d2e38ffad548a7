"""Schedules: from a step to a quota, or from a time to a noise level.

Time runs from 1 (all noise) down to 0 (clean), as in the papers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


def quota(n_left: int, steps_left: int) -> int:
    """Return how many tokens to commit now so that the rest spreads evenly over the later steps.

    Asked again at every step, this is LLaDA's schedule, floor(M/S) + [i < M mod S] at step i; it
    needs no list, adapts where a step commits more than asked, and ends in time whatever happens.

    Args:
        n_left: masks that remain.
        steps_left: steps that remain, this one included; at least 1.
    """
    return -(-n_left // steps_left)


class Noise(Protocol):
    """How noise grows with time: sigma, the integral of the rate at which tokens are lost.

    A token survives until time t with probability exp(-sigma(t)).
    """

    def sigma(self, time: float) -> float:
        """Return the total noise at `time` in [0, 1]."""

    def rate(self, time: float) -> float:
        """Return the derivative of `sigma`."""

    def time(self, sigma: float) -> float:
        """Return when the total noise is `sigma`; 0 where it never is as little."""


@dataclass(frozen=True)
class LogLinearNoise:
    """The share of lost tokens grows evenly: 1 - exp(-sigma(t)) = (1 - eps) t.

    SEDD (Lou et al. 2024, arXiv 2310.16834), `noise_lib.py`.
    """

    eps: float = 1e-3

    def sigma(self, time: float) -> float:
        """See `Noise.sigma`."""
        return -math.log1p(-(1 - self.eps) * time)

    def rate(self, time: float) -> float:
        """See `Noise.rate`."""
        return (1 - self.eps) / (1 - (1 - self.eps) * time)

    def time(self, sigma: float) -> float:
        """See `Noise.time`."""
        return -math.expm1(-sigma) / (1 - self.eps)


@dataclass(frozen=True)
class GeometricNoise:
    """Noise grows by an equal factor in equal times: sigma(t) = min^(1-t) max^t.

    SEDD (Lou et al. 2024, arXiv 2310.16834), `noise_lib.py`.
    """

    sigma_min: float = 1e-4
    sigma_max: float = 20.0

    def sigma(self, time: float) -> float:
        """See `Noise.sigma`."""
        return float(self.sigma_min * (self.sigma_max / self.sigma_min) ** time)

    def rate(self, time: float) -> float:
        """See `Noise.rate`."""
        return self.sigma(time) * math.log(self.sigma_max / self.sigma_min)

    def time(self, sigma: float) -> float:
        """See `Noise.time`."""
        if sigma <= self.sigma_min:
            return 0.0
        return math.log(sigma / self.sigma_min) / math.log(self.sigma_max / self.sigma_min)
