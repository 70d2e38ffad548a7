"""Typing and moving about: the file behind the cursor is carried along, not encoded again.

The prompt says what follows the cursor behind what stands before it, so every character typed moves
all of that, and so does a cursor that goes to another line. Its keys are turned by as many
positions as it moved (rotary positions are relative: Su et al. 2021, arXiv 2104.09864, eq. 16); its
values stay. That is not exact, for these rows have not seen what was typed since they were encoded,
or saw it elsewhere. So it is done for ghost text alone, and only for a few tokens on end; then they
are encoded again. What it costs is measured: `remask eval typing`.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from model_runtime.caches.causal import Ahead
from model_runtime.models.base import PREFILL_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.base import CausalDenoiser

#: Tokens that may be typed or taken away before a tail is encoded again.
MAX_UNSEEN = 64
#: Tokens at a tail's beginning that are always encoded again: they look most at what was typed,
#: and, where the cursor was somewhere else, at where it is now. (With 16 of these, too, a fifth of
#: the fills were other ones after a move; with 96, four of five of these were not.)
N_ANEW = 16
N_ANEW_MOVED = 96
#: Fewer rows are not worth the trouble.
MIN_CARRIED = 16
#: Tokens that the first step encodes besides its own: as many as it takes at once, with room left.
MOST_FED = PREFILL_ROWS // 2


class Stretch(NamedTuple):
    """Tokens that stood in the cache and stand in the new context."""

    #: Where they were, and where they are now.
    old: int
    new: int
    n_tokens: int
    #: Tokens before them that have come or gone since they were encoded.
    n_unseen: int

    def behind(self, new: int) -> Stretch:
        """Return the part of it from a position of the new context on."""
        n = max(0, new - self.new)
        return self._replace(old=self.old + n, new=self.new + n, n_tokens=self.n_tokens - n)


def carriable(context: list[int], start: int, cache: CausalCache) -> Stretch | None:
    """Return what of a context's tail can be carried, None where that is nothing or not worth it.

    Args:
        context: [n_context] head and tail.
        start: where the tail begins: with a token that the head has not.
        cache: of an earlier context in the same file.
    """
    n_common = cache.n_common(context)
    if n_common > start:
        return None
    found = _stretch(cache.token_ids, context, start, n_common)
    n_unseen = cache.n_unseen + found.n_unseen
    is_worth_it = found.n_tokens >= MIN_CARRIED and n_unseen <= MAX_UNSEEN
    return found._replace(n_unseen=n_unseen) if is_worth_it else None


def carry(
    denoiser: CausalDenoiser,
    context: list[int],
    carried: Stretch,
    cache: CausalCache,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Have the cache hold what is carried where it now stands.

    What stands before that is fed with the first step, as is what stands behind it, unless it is
    much: one forward less at every key.

    Args:
        denoiser: turns it.
        context: [n_context] head and tail.
        carried: of `carriable`.
        cache: the same.
        check: called before every forward; raises to stop in between.
    """
    start, end = carried.new, carried.new + carried.n_tokens
    keys, values = cache.rows(carried.old, carried.old + carried.n_tokens)
    turned = denoiser.turn(keys, carried.new - carried.old)
    cache.rewind(context[:start])
    if len(context) - len(cache) - carried.n_tokens > MOST_FED:
        denoiser.encode(context[:start], cache, check)
    cache.bring(Ahead(start, context[start:end], carried.n_unseen), turned, values)


def _stretch(kept: list[int], context: list[int], start: int, n_common: int) -> Stretch:
    """Find what of the tail is kept: after something was typed all of it, else the most of it."""
    tail = context[start:]
    old = kept.index(tail[0]) if tail[0] in kept else len(kept)
    if kept[old : old + len(tail)] == tail:
        typed = Stretch(old, start, len(tail), max(start, old) - n_common)
        return typed.behind(start + N_ANEW)
    best, n_seen = Stretch(0, start, 0, 0), 0
    # Milliseconds; in a table of two values 0.3 s, where to encode it anew takes as long or longer.
    matcher = SequenceMatcher(None, kept[n_common:], context[n_common:], autojunk=False)
    for block in matcher.get_matching_blocks():
        n_unseen = max(block.a, block.b) - n_seen
        here = Stretch(block.a + n_common, block.b + n_common, block.size, n_unseen)
        carried = here.behind(start + N_ANEW_MOVED)
        best = max(best, carried, key=lambda stretch: stretch.n_tokens)
        n_seen += block.size
    return best
