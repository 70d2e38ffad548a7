"""What a cache holds of a span's surroundings: brought along before a canvas is settled.

A causal cache holds a beginning of the context; ghost text also takes what is nearly right (see
`carried`). One that holds the file around a span brings along by itself what the canvas to come
begins and ends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.caches.around import AroundCache
from model_runtime.caches.causal import CausalCache
from model_runtime.models.base import PREFILL_ROWS, CausalDenoiser
from model_runtime.modes.carried import carriable, carry

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.caches.base import Cache
    from model_runtime.models.base import Denoiser
    from model_runtime.modes.carried import Stretch
    from model_runtime.protocol import InfillRequest
    from model_runtime.text.laid_out import LaidOut
    from model_runtime.text.template import Template


def own_copy(cache: Cache | None, denoiser: Denoiser) -> Cache:
    """Return a cache that holds what another one does, where there can be two of a kind."""
    if isinstance(cache, CausalCache | AroundCache):
        return cache.copy()
    return denoiser.new_cache()


def n_missing(
    request: InfillRequest, template: Template, context: list[int], cache: CausalCache
) -> int:
    """Return how many of a context's tokens will have to be encoded."""
    carried = _carriable(request, template, context, cache)
    n_carried = 0 if carried is None else carried.n_tokens
    return len(context) - cache.n_common(context) - n_carried


def warm(
    request: InfillRequest,
    template: Template,
    laid_out: LaidOut,
    denoiser: Denoiser,
    cache: Cache,
    check: Callable[[], None],
) -> int:
    """Make the most of what a cache holds; return how many tokens of the surroundings that is."""
    if isinstance(cache, AroundCache):
        return cache.n_kept(laid_out.canvas.token_ids, laid_out.span)
    if not isinstance(cache, CausalCache) or not isinstance(denoiser, CausalDenoiser):
        return 0
    if request.lane != "inline":
        cache.drop_inexact()
    context = laid_out.context
    n_cached, carried = cache.n_common(context), _carriable(request, template, context, cache)
    if carried is not None:
        carry(denoiser, context, carried, cache, check)
        n_cached += carried.n_tokens
    return n_cached


def read(context: list[int], denoiser: Denoiser, cache: Cache, check: Callable[[], None]) -> None:
    """Encode a long causal context up to its last stretch: that goes with the first step."""
    if not isinstance(cache, CausalCache) or not isinstance(denoiser, CausalDenoiser):
        return
    if len(context) - cache.n_common(context) - cache.n_ahead > PREFILL_ROWS:
        denoiser.encode(context[:-PREFILL_ROWS], cache, check)


def _carriable(
    request: InfillRequest, template: Template, context: list[int], cache: CausalCache
) -> Stretch | None:
    """Return what is nearly right; see `carried`. Ghost text takes it, an edit does not."""
    if request.lane != "inline" or (tail_start := template.tail_start(context)) is None:
        return None
    # The last token stands for what comes next: it is encoded with the first step.
    return carriable(context[:-1], tail_start, cache)
