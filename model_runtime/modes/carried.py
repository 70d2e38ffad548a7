"""Typing: the file behind the cursor stays, so its rows are carried along instead of encoded again.

The prompt says what follows the cursor behind what stands before it, so every character typed moves
all of that. Its keys are turned by as many positions as it moved (rotary positions are relative: Su
et al. 2021, arXiv 2104.09864, eq. 16); its values stay. That is not exact, for these rows have not
seen what was typed since they were encoded. So it is done for ghost text alone, and only for a few
tokens on end; then they are encoded again. What it costs is measured: `remask eval typing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.canvas import CanvasDenoiser

#: Tokens that may be typed or taken away before a tail is encoded again.
MAX_UNSEEN = 64
#: Tokens at a tail's beginning that are always encoded again: they look most at what was typed.
N_ANEW = 16


def carry_tail(
    denoiser: CanvasDenoiser,
    context: list[int],
    start: int,
    cache: CausalCache,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Have the cache stand for a context whose tail it holds behind another head.

    Args:
        denoiser: encodes what the head lacks.
        context: [n_context] head and tail.
        start: where the tail begins: with a token that the head has not.
        cache: of an earlier context with the same tail. Left as it is where that can't be used.
        check: called before every forward; raises to stop in between.

    Returns:
        whether the tail was carried.
    """
    kept, tail = cache.token_ids, context[start:]
    n_common = cache.n_common(context)
    if n_common > start or len(tail) <= N_ANEW or tail[0] not in kept:
        return False
    old_start = kept.index(tail[0])
    old_end, n_moved = old_start + len(tail), start - old_start
    n_unseen = cache.n_unseen + max(start, old_start) - n_common
    if kept[old_start:old_end] != tail or n_unseen > MAX_UNSEEN:
        return False
    keys, values = cache.rows(old_start + N_ANEW, old_end)
    denoiser.encode(context[: start + N_ANEW], cache, check)
    cache.append(tail[N_ANEW:], denoiser.model.turn(keys, n_moved), values, n_unseen)
    return True
