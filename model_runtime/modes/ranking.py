"""Several ways to fill the same spans: made, told apart, and put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.modes.job import warmer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.protocol import Alternative


def several(job: Job, fill: Callable[[AnySampler], Alternative]) -> list[Alternative]:
    """Fill as often as the request asks for, the first time as its sampler says, then warmer.

    Returns:
        the distinct results, best first.
    """
    n_alternatives = job.request.n_alternatives
    samplers = [job.sampler, *[warmer(job.sampler)] * (n_alternatives - 1)]
    return sorted(
        distinct(fill(sampler) for sampler in samplers),
        key=lambda alternative: alternative.score or 0.0,
        reverse=True,
    )


def distinct(alternatives: Iterable[Alternative]) -> list[Alternative]:
    """Return the alternatives whose texts did not come before."""
    by_texts: dict[tuple[str, ...], Alternative] = {}
    for alternative in alternatives:
        by_texts.setdefault(alternative.texts, alternative)
    return list(by_texts.values())
