"""Schedules: from a step to a quota, a noise level or a share.

Time runs from 1 (all noise) down to 0 (clean), as in the papers.
"""

from __future__ import annotations


def quota(n_left: int, steps_left: int) -> int:
    """Return how many tokens to commit now so that the rest spreads evenly over the later steps.

    Asked again at every step, this is LLaDA's schedule, floor(M/S) + [i < M mod S] at step i; it
    needs no list, adapts where a step commits more than asked, and ends in time whatever happens.

    Args:
        n_left: masks that remain.
        steps_left: steps that remain, this one included; at least 1.
    """
    return -(-n_left // steps_left)
