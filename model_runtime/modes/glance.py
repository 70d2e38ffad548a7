"""A glance first: ghost text need not wait until a long file is read.

Where there is no GPU, a context that is not in the cache costs seconds. So at first the model is
shown only what stands nearest to the cursor. The whole is read while nobody asks, in small pieces,
so that whoever asks again does not wait for it; and once little of it is missing, it is shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model_runtime.caches.causal import CausalCache
from model_runtime.models.base import CausalDenoiser
from model_runtime.modes.context import n_missing

if TYPE_CHECKING:
    from model_runtime.modes.job import Job

#: Times as many tokens as a glance sees that may be missing of the whole.
MUCH = 1.5
#: Rows encoded in one forward: on a slow processor a third of a second.
READ_ROWS = 64


def is_worth_it(job: Job, n_tokens: int) -> bool:
    """Whether so much of a request's context is to be encoded that a glance comes first.

    Args:
        job: of the request; its cache stays as it is.
        n_tokens: what a glance sees; 0 for never.
    """
    request = job.request
    if not n_tokens or not request.may_glance or job.model.denoiser.device.type != "cpu":
        return False
    if not isinstance(job.cache, CausalCache):
        return False
    context = job.lay_out([""] * len(request.spans), 0).context
    missing = n_missing(request, job.model.layout.template, context, job.cache)
    return missing > MUCH * n_tokens


def glancing(job: Job, n_tokens: int) -> Job:
    """Return the job with only so many tokens of its context."""
    return replace(job, model=job.model.within(n_tokens))


def read(job: Job) -> None:
    """Encode the whole of a request's context; what is done stays, if its token stops it."""
    denoiser, cache = job.model.denoiser, job.cache
    if not isinstance(cache, CausalCache) or not isinstance(denoiser, CausalDenoiser):
        return
    context = job.lay_out([""] * len(job.request.spans), 0).context
    # The last token stands for what comes next: it is encoded with the first step.
    wanted = context[:-1]
    while (n_read := cache.n_common(wanted)) < len(wanted):
        job.cancel.check()
        denoiser.encode(wanted[: n_read + READ_ROWS], cache)
