"""Several ways to fill the same spans: put in order, and told apart.

An alternative is judged by the text it makes of the file: how likely the base finds the fill and
the beginning of what follows it, read from left to right like any file. By the rule of Bayes that
orders fills as their own probability between the two parts of the file does; but the model that
fills in the middle looks at the suffix only as far as it has learned to, and this one can't help
it (a noisy channel, Yee et al. 2019, arXiv 1908.05731). What the fill leaves undefined, says twice
or indents wrongly shows in what follows it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model_runtime.modes.job import Job
    from model_runtime.protocol import Alternative


class Total(NamedTuple):
    """How likely a file is from its spans' texts on, up to a little behind them."""

    nats: float
    n_tokens: int


def can_judge(job: Job) -> bool:
    """Whether texts of a request's spans can be told apart by what follows them."""
    return bool(job.request.suffix.strip()) and job.model.denoiser.judges


def judge(job: Job, found: Sequence[tuple[str, ...]]) -> None:
    """Find out how likely the file is with each of some texts in its spans: see `Job.judged`.

    Args:
        job: its cache is read on in.
        found: the texts of its spans, each time.
    """
    context, texts, behind = job.model.layout.lay_out_plain(job.request, found)
    judged = job.judge_several(context, texts, behind=behind)
    for key, text, one in zip(found, texts, judged, strict=True):
        job.judged[key] = Total(float(one.own.sum()), len(text))


def ranked(job: Job, alternatives: Iterable[Alternative]) -> list[Alternative]:
    """Return as many distinct alternatives as are asked for, scored, best first.

    Where only the best is wanted, all that were made: the client may know better which that is.
    A single one needs no score; and where nothing follows, they stay in the order they came in.
    """
    request, found = job.request, distinct(alternatives)
    wanted = slice(None if request.best_only else request.n_alternatives)
    if len(found) == 1 or not can_judge(job):
        return found[wanted]
    if unknown := [one.texts for one in found if one.texts not in job.judged]:
        # Judged elsewhere: the cache goes on holding what follows the span, for the next request.
        judge(replace(job, cache=job.own_cache()), unknown)
    n_tokens = max(job.judged[one.texts].n_tokens for one in found)
    scored = [
        # Divided by the same number, or a longer text would have an advantage.
        msgspec.structs.replace(one, score=job.judged[one.texts].nats / n_tokens)
        for one in found
    ]
    scored.sort(key=lambda one: one.score or 0.0, reverse=True)
    return scored[wanted]


def distinct(alternatives: Iterable[Alternative]) -> list[Alternative]:
    """Return the alternatives whose texts did not come before."""
    by_texts: dict[tuple[str, ...], Alternative] = {}
    for alternative in alternatives:
        by_texts.setdefault(alternative.texts, alternative)
    return list(by_texts.values())
