"""Rewrite: the span's own tokens, the least certain share of them open to change.

How certain a token is says its probability against that of the best one in its place. `hybrid`
checks the text as its first draft and holds every token that is more certain than the open ones,
again at every place given what the text has become: so it can grow and shrink. Other rules get the
open tokens as masks among the rest, and the length stays, but for rules that make room. A family
that sees both sides of a token says how certain it is given both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import UnsupportedPairing
from model_runtime.modes.branching import warmer
from model_runtime.modes.ranking import ranked
from model_runtime.protocol import Alternative

if TYPE_CHECKING:
    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import LaidOut

#: Two forwards of other sizes round otherwise: a token exactly at the bound is held.
_ROUNDING = 0.999


def rewrite(job: Job) -> list[Alternative]:
    """Change as much of the one span as `strength` says.

    At 0 nothing is asked of the model and the text comes back as it is; at 1 nothing is held.
    """
    (span,) = job.request.spans
    if job.request.strength == 0:
        return [Alternative(texts=(span.text,), finish="unchanged")]
    n_others = job.request.n_alternatives - 1
    samplers = [job.sampler, *[warmer(job.sampler)] * n_others]
    return ranked(job, (_rewrite(job, sampler) for sampler in samplers))


def _rewrite(job: Job, sampler: AnySampler) -> Alternative:
    (span,) = job.request.spans
    texts = [span.text]
    is_free = job.model.layout.is_sized and (job.request.strength == 1 or not span.text.strip())
    # Where nothing is held, the length is open as well.
    laid_out = job.lay_out(texts, 0, text=None if is_free else span.text)
    if is_free:
        return _rewritten(job, sampler, laid_out)
    if sampler.takes_text:
        lenience = _lenience(job, laid_out)
        params = msgspec.structs.replace(sampler.params, lenience=lenience)
        sampler = type(sampler)(params)
    elif sampler.ordered:
        raise UnsupportedPairing(
            f"sampler {sampler.name!r} can't rewrite: it takes no text to start from; "
            "hybrid does, and so do the rules that fill masks in any order"
        )
    else:
        laid_out = _opened(job, laid_out)
    return _rewritten(job, sampler, laid_out)


def _rewritten(job: Job, sampler: AnySampler, laid_out: LaidOut) -> Alternative:
    (span,) = job.request.spans
    fill = job.settle(sampler, laid_out, [span.text], 0)
    finish = "unchanged" if fill.text == span.text else fill.finish
    return Alternative(texts=(fill.text,), finish=finish)


def _n_open(job: Job, n_tokens: int) -> int:
    return math.ceil(job.request.strength * n_tokens)


def _lenience(job: Job, laid_out: LaidOut) -> float:
    """Return the share of the best token's probability at which a token is held."""
    text_ids = laid_out.text_ids
    n_open = _n_open(job, len(text_ids))
    if n_open == len(text_ids):
        return 1.0
    judged = job.judge_each(laid_out)
    certainty = (judged.own - judged.best[:, 0]).sort().values
    bound = float(certainty[n_open].exp())
    return bound * _ROUNDING if bound < 1 else 1.0


def _opened(job: Job, laid_out: LaidOut) -> LaidOut:
    """Return a canvas of the text's length with its least certain tokens masked, the rest given."""
    text_ids = laid_out.text_ids
    n_text = len(text_ids) - laid_out.n_end
    certainty = job.judge_each(laid_out).own[:n_text]
    return laid_out.opened(text_ids, certainty.argsort()[: _n_open(job, n_text)])
