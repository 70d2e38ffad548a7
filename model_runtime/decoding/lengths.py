"""How long a gap is, for families whose canvases do not grow: ask the model about several lengths.

A masked model that is given too many masks or too few is unsure of what to put there, so its own
certainty says which length fits. (What a wrong length costs: Dream-Coder fills 93.3 % of single
lines where it is told the length, 55.3 % over fixed ones; Wu et al. 2026, arXiv 2602.01326.) All
candidates are evaluated in one batch, over the same rows of what stands around them. In each round
every gap settles its surest half, and the half of the candidates that the model is least sure of is
given up, and of the others those that are far behind the best one, until one is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Region
from model_runtime.decoding.choose import clean_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

#: Nats a token by which a candidate may be behind the best one.
HOPELESS = 1.0


@dataclass
class _Candidate:
    length: int
    #: [n] int64 the gap, changed as its masks are settled.
    token_ids: Tensor
    #: Log-probabilities of what was settled.
    settled: list[float]

    def masked(self, mask_id: int) -> Tensor:
        """Return [n_masked] int64: where its masks are."""
        return torch.eq(self.token_ids, mask_id).nonzero()[:, 0]

    def score(self, open_log_p: Tensor) -> float:
        """Return the mean log-probability of the gap's tokens, those still open at their best."""
        n_tokens = len(self.settled) + len(open_log_p)
        return (sum(self.settled) + float(open_log_p.sum())) / max(1, n_tokens)


@torch.inference_mode()
def choose_length(
    predict: Callable[[Sequence[Region]], Sequence[Tensor]],
    mask_id: int,
    gap: Callable[[int], Sequence[int]],
    lengths: Sequence[int],
) -> int:
    """Return the length that the model is surest of.

    Args:
        predict: returns for each region [n_asked, vocab]; see `Denoiser.predict_between`.
        mask_id: stands in the gaps.
        gap: makes what stands in the place, with so many masks in it.
        lengths: candidates, at least one.
    """
    left = [_Candidate(length, torch.tensor(gap(length)), []) for length in lengths]
    while len(left) > 1:
        masked = [one.masked(mask_id) for one in left]
        regions = [
            Region(one.token_ids.tolist(), places.tolist())
            for one, places in zip(left, masked, strict=True)
        ]
        scored: list[tuple[float, _Candidate]] = []
        for one, places, logits in zip(left, masked, predict(regions), strict=True):
            log_p, tokens = clean_logits(logits, mask_id).log_softmax(-1).max(-1)
            scored.append((one.score(log_p), one))
            surest = log_p.argsort(descending=True)[: (len(places) + 1) // 2]
            one.token_ids[places[surest]] = tokens[surest]
            one.settled += log_p[surest].tolist()
        scored.sort(key=lambda pair: pair[0], reverse=True)
        best, _ = scored[0]
        kept = scored[: (len(scored) + 1) // 2]
        left = [one for score, one in kept if score >= best - HOPELESS]
    return left[0].length
