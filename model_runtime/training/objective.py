"""The training objective: denoise small canvases at many places of one encoded context.

The base encodes a context once, without gradient. Then canvases are laid at many offsets, each
behind the clean prefix before it, and all their rows run in one forward through base and adapter.
Two kinds of canvas, as decoding meets them:

    draft      masks only; the row of its first position is the base's own, so training has the
               rows from the second position on (what `hybrid` verifies)
    revealed   some positions show their token; the token before the canvas is fed again as a
               canvas row (any-order decoding)

A masked position's loss mixes two targets: the token that stands there, and the base's own
distribution given the true text to the left, which says more about each row than one token does
(masked diffusion's cross entropy, Sahoo et al. 2024, arXiv 2406.07524, eq. 10; distillation from
the base itself). Rows deeper in a run of masks count less: they are less often used and noisier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from model_runtime.caches.base import Cache
from model_runtime.models.gated import Rows
from model_runtime.models.rows import mask_depths

if TYPE_CHECKING:
    from random import Random

    from model_runtime.caches.causal import CausalCache
    from model_runtime.decoding.canvas import Canvas, Update


@dataclass(frozen=True)
class Mixture:
    """What canvases a training step is made of.

    Args:
        n_rows: rows of all canvases together, roughly.
        draft_lengths: (number of masks, share of rows) of the draft canvases.
        revealed_lengths: (number of positions, share of rows) of the revealed canvases.
    """

    n_rows: int = 384
    draft_lengths: tuple[tuple[int, float], ...] = ((3, 0.5), (6, 0.3))
    revealed_lengths: tuple[tuple[int, float], ...] = ((12, 0.1), (24, 0.1))
    #: Share of the base's distribution in the target.
    distillation: float = 0.7
    #: A row at depth d of its run of masks counts decay ** (d - 1).
    decay: float = 0.8


@dataclass(frozen=True)
class Batch:
    """The rows of one step and what they should say."""

    rows: Rows
    #: [n_targets] which rows have a target, and [n_targets] the position each predicts.
    row_index: Tensor
    position: Tensor
    #: [n_targets] place in the run of masks, from 1.
    depth: Tensor
    #: [n_targets] bool: rows of draft canvases.
    is_draft: Tensor


class FrozenContext(Cache):
    """An encoded context, without gradient; fed rows are laid behind it with theirs.

    Args:
        cache: holds the context.
    """

    name: ClassVar[str] = "frozen"
    exact: ClassVar[bool] = True

    def __init__(self, cache: CausalCache) -> None:
        self._cache = cache

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the context's keys and values and the rows' own behind them."""
        kept_keys, kept_values = self._cache.kept(layer)
        return torch.cat((kept_keys, keys)), torch.cat((kept_values, values))

    def settle(self, canvas: Canvas, update: Update) -> None:
        """Nothing to do: training settles nothing."""


def lay_canvases(token_ids: Tensor, mixture: Mixture, first_offset: int, rng: Random) -> Batch:
    """Choose canvases at random offsets of a context.

    Args:
        token_ids: [length] the whole text: context, span, end of text.
        mixture: which canvases, and how many rows.
        first_offset: canvases begin here or later; at least 1.
        rng: of the step.
    """
    pieces: list[_Piece] = []
    for is_draft, lengths in ((True, mixture.draft_lengths), (False, mixture.revealed_lengths)):
        for n_masks, share in lengths:
            n_canvases = max(1, round(mixture.n_rows * share / n_masks))
            last_offset = len(token_ids) - n_masks - 1
            for _ in range(n_canvases if last_offset >= first_offset else 0):
                offset = rng.randint(first_offset, last_offset)
                piece = _draft_piece if is_draft else _revealed_piece
                pieces.append(piece(token_ids, offset, n_masks, rng))
    return _join(pieces, len(token_ids))


@dataclass(frozen=True)
class _Piece:
    """The rows of one canvas: they see `n_seen` tokens of the context, and each other."""

    fed: Tensor
    first_position: int
    n_seen: int
    depth: Tensor
    is_draft: bool


def _draft_piece(token_ids: Tensor, offset: int, n_masks: int, rng: Random) -> _Piece:  # noqa: ARG001  # one signature for both kinds
    depth = torch.arange(1, n_masks + 1)
    return _Piece(-depth, offset, offset, depth, is_draft=True)


def _revealed_piece(token_ids: Tensor, offset: int, n_positions: int, rng: Random) -> _Piece:
    share_masked = rng.uniform(0.15, 0.95)
    masked = torch.tensor([False] + [rng.random() < share_masked for _ in range(n_positions)])
    masked[rng.randint(1, n_positions)] = True
    depths = mask_depths(masked)
    window = token_ids[offset - 1 : offset + n_positions]
    # Fed are the canvas's tokens but the last; the targets are all but the first.
    fed = torch.where(masked, -depths, window)[:-1]
    return _Piece(fed, offset - 1, offset - 1, depths[1:], is_draft=False)


def _join(pieces: list[_Piece], length: int) -> Batch:
    sizes = torch.tensor([len(piece.fed) for piece in pieces])
    canvas = torch.arange(len(pieces)).repeat_interleave(sizes)
    n_seen = torch.tensor([piece.n_seen for piece in pieces]).repeat_interleave(sizes)
    places = torch.cat([p.first_position + torch.arange(len(p.fed)) for p in pieces])
    depth = torch.cat([piece.depth for piece in pieces])
    is_draft = torch.tensor([piece.is_draft for piece in pieces]).repeat_interleave(sizes)
    visible = torch.cat((torch.arange(length) < n_seen[:, None], canvas == canvas[:, None]), dim=1)
    row_index = depth.nonzero().squeeze(1)
    return Batch(
        rows=Rows(torch.cat([piece.fed for piece in pieces]), places, visible, n_base=0),
        row_index=row_index,
        position=places[row_index] + 1,
        depth=depth[row_index],
        is_draft=is_draft[row_index],
    )


def denoising_loss(
    student: Tensor, teacher: Tensor, target: Tensor, depth: Tensor, mixture: Mixture
) -> Tensor:
    """Return the weighted mean loss of the target rows, in nats.

    Args:
        student: [n, n_vocabulary] logits of the canvas rows.
        teacher: [n, n_vocabulary] logits of the base given the true text to the left.
        target: [n] index of the true token in the vocabulary, -1 where it is not in it.
        depth: [n] place in the run of masks, from 1.
        mixture: weights.
    """
    log_p = functional.log_softmax(student, dim=-1)
    soft = -(functional.softmax(teacher, dim=-1) * log_p).sum(dim=-1)
    hard = -log_p.gather(1, target.clamp_min(0)[:, None]).squeeze(1)
    share = torch.where(target < 0, 1.0, mixture.distillation)
    weight = mixture.decay ** (depth - 1).float()
    return (weight * (share * soft + (1 - share) * hard)).sum() / weight.sum()
