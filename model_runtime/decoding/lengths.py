"""How long a gap is, for families whose canvases do not grow: ask the model about several lengths.

A masked model that is given too many masks or too few is unsure of what to put there, so its own
certainty says which length fits. (What a wrong length costs: Dream-Coder fills 93.3 % of single
lines where it is told the length, 55.3 % over fixed ones; Wu et al. 2026, arXiv 2602.01326.) All
candidates are evaluated in one batch. In each round every canvas settles its surest half, and the
half of the canvases that the model is least sure of is given up, until one is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from model_runtime.decoding.choose import clean_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.decoding.canvas import Canvas


class BatchDenoiser(Protocol):
    """What predicts several canvases at once; see `Family.predict_all`."""

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Return [batch, length, vocab] for token ids [batch, length]."""


@dataclass
class _Candidate:
    length: int
    #: [n] int64 the canvas, changed as its masks are settled.
    token_ids: Tensor
    #: Log-probabilities of what was settled.
    settled: list[float]

    def score(self, open_log_p: Tensor) -> float:
        """Return the mean log-probability of the gap's tokens, those still open at their best."""
        n_tokens = len(self.settled) + len(open_log_p)
        return (sum(self.settled) + float(open_log_p.sum())) / max(1, n_tokens)


@torch.inference_mode()
def choose_length(
    denoiser: BatchDenoiser,
    mask_id: int,
    lay_out: Callable[[int], Canvas],
    lengths: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> int:
    """Return the length that the model is surest of.

    Args:
        denoiser: predicts.
        mask_id: stands in the gaps.
        lay_out: makes the canvas with a gap of so many masks.
        lengths: candidates, at least one.
        check: called before every forward; raises to stop in between.
    """
    left = [_Candidate(length, lay_out(length).token_ids.clone(), []) for length in lengths]
    while len(left) > 1:
        check()
        rows = _predict(denoiser, [one.token_ids for one in left])
        scored: list[tuple[float, _Candidate]] = []
        for one, logits in zip(left, rows, strict=True):
            masked = torch.eq(one.token_ids, mask_id).nonzero()[:, 0]
            log_p, tokens = clean_logits(logits[masked], mask_id).log_softmax(-1).max(-1)
            scored.append((one.score(log_p), one))
            surest = log_p.argsort(descending=True)[: (len(masked) + 1) // 2]
            one.token_ids[masked[surest]] = tokens[surest]
            one.settled += log_p[surest].tolist()
        scored.sort(key=lambda pair: pair[0], reverse=True)
        left = [one for _, one in scored[: (len(scored) + 1) // 2]]
    return left[0].length


def _predict(denoiser: BatchDenoiser, canvases: list[Tensor]) -> list[Tensor]:
    """Evaluate canvases of several lengths in one forward, padded at their left."""
    longest = max(map(len, canvases))
    padded = torch.zeros(len(canvases), longest, dtype=torch.long)
    mask = torch.zeros_like(padded)
    for index, token_ids in enumerate(canvases):
        padded[index, longest - len(token_ids) :] = token_ids
        mask[index, longest - len(token_ids) :] = 1
    rows = denoiser.predict_all(padded, mask).float().cpu()
    return [row[longest - len(ids) :] for row, ids in zip(rows, canvases, strict=True)]
