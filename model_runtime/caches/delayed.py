"""dKV-Cache: a token's row is kept one step after the token was decoded.

Ma et al. 2025, arXiv 2505.15781, section 3.2: the row of a token changes most in the step that
decodes it, so it is computed once more with the decoded token and kept from then on; masks are
computed at every step, and everything is refreshed now and then. The paper counts steps, each of
which decodes one token; here the changed tokens are counted, for a kept row grows stale by what
changed and not by time: a rule that settles many tokens a step refreshes sooner, one that idles not
at all. An approximation: a kept row does not see what is decoded after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.caches.base import KeptRows, Rows

if TYPE_CHECKING:
    from torch import Tensor


class DelayedCache(KeptRows):
    """Keeps the rows of settled tokens.

    Args:
        refresh_changes: after so many changed tokens everything is computed again (the paper's
            interval: 8 for LLaDA, 4 to 16 for Dream).
    """

    name: ClassVar[str] = "delayed"
    exact: ClassVar[bool] = False
    error: ClassVar[float] = 0.1

    def __init__(self, refresh_changes: int = 8) -> None:
        super().__init__()
        self._refresh_changes = refresh_changes
        #: Since everything was computed.
        self._n_changed = 0

    def keep(self, rows: Rows, same: Tensor, settled: Tensor) -> Tensor:
        """Keep the rows that held a settled token when they were computed."""
        del rows
        self._n_changed += int((~same).sum())
        if self._n_changed < self._refresh_changes:
            return settled
        self._n_changed = 0
        return torch.zeros_like(same)
