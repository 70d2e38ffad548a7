"""The canvas, and the values that pass between loop, denoiser and sampler.

A canvas is the token tensor being denoised, context included. The loop shows it to a denoiser with
a `Query`, hands the `Prediction` to a sampler, and applies the sampler's `Update`. Only
`Canvas.apply` writes token ids, and only where a position is not given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

from model_runtime.errors import UnsupportedPairing

#: What a denoiser's rows hold: unnormalised log-probabilities of the clean token, or the log of
#: SEDD's ratio p_t(y) / p_t(x).
PredictionKind = Literal["logits", "log_score"]


@dataclass(frozen=True)
class Query:
    """What a sampler wants predicted at one step.

    With `visible` None, every row sees the whole canvas as it stands. Otherwise the family is
    order-based: row k predicts `positions[k]` and sees, as clean, the first `visible[k]` positions
    of `order`; the positions of `order` from there up to its own are masks to it. A family without
    that order answers from the canvas as it stands: what is settled there is what may be seen.
    """

    #: [n_rows] int64: canvas positions to predict; a position may occur more than once. None at
    #: all: there is nothing left to predict, and the loop moves on.
    positions: Tensor
    #: The noise level (SEDD's sigma, or MDLM's) for families conditioned on time.
    noise_level: float | None = None
    #: [n_rows] int64, or None.
    visible: Tensor | None = None
    #: [length] int64: positions in decoding order; None means left to right.
    order: Tensor | None = None
    #: How many rows, from the first on, are wanted at once; the others only through
    #: `Prediction.follow`, where the family has it. None: all of them.
    n_at_once: int | None = None
    #: [n_rows, vocab] float: the last logits, for families that condition on them.
    self_conditioning: Tensor | None = None


@dataclass(frozen=True)
class Region:
    """A text between two others, and which of its places are asked about.

    Args:
        token_ids: [n] it, masks in it.
        places: [n_asked] where in it, ascending.
    """

    token_ids: Sequence[int]
    places: Sequence[int]


@dataclass(frozen=True)
class Prediction:
    """A denoiser's answer: row k is about position `query.positions[k]`."""

    kind: PredictionKind
    #: [n_rows, vocab] float32; with `follow`, [query.n_at_once, vocab].
    rows: Tensor
    #: Where the family has it: (indices of rows [n], tokens [n]) -> those rows [n, vocab] given
    #: which token stands right before the position of each. Costs far less than a forward.
    follow: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Block:
    """What a sampler is asked to settle before the loop moves on."""

    #: [length] int64: the canvas as the block begins.
    token_ids: Tensor
    #: [n_open] int64, ascending: the positions that the sampler may write.
    positions: Tensor
    #: [length] bool: what must not change, in this block or ever.
    given: Tensor
    #: The absorbing token; None where the family has none (uniform noise).
    mask_id: int | None
    vocab_size: int

    def require_mask(self) -> int:
        """Return `mask_id`, for rules that can't do without.

        Raises:
            UnsupportedPairing: the family has no mask.
        """
        if self.mask_id is None:
            raise UnsupportedPairing("this sampler fills masks, and the family has none")
        return self.mask_id

    def masked(self, token_ids: Tensor) -> Tensor:
        """Return [n_open] bool: which of the block's positions are masks in `token_ids`."""
        if self.mask_id is None:
            return torch.zeros_like(self.positions, dtype=torch.bool)
        return token_ids[self.positions] == self.mask_id


@dataclass(frozen=True)
class Likeliest:
    """What a model would rather, or as soon, have said at positions that a step settled."""

    #: [n] int64: canvas positions.
    positions: Tensor
    #: [n, k] int64 and float32: the likeliest tokens at each, the best first.
    token_ids: Tensor
    probabilities: Tensor


@dataclass(frozen=True)
class Update:
    """A sampler's decision after one step."""

    #: [new_length] int64: the canvas after the step; equal to the old one where given.
    token_ids: Tensor
    #: [new_length] bool: which positions of the block are settled now. Not the same as "no mask":
    #: rules that renoise keep unsettled tokens on the canvas.
    committed: Tensor
    #: Whether the block is finished. The sampler's to say: a rule may remask.
    done: bool
    #: [new_length] float32 in the sampler's own unit, for ranking and for showing, NaN where this
    #: step predicted nothing; or None.
    confidence: Tensor | None = None
    #: Of the positions settled by this step, for rules whose confidence is the probability that the
    #: model gives a token where all before it is settled; else None.
    likeliest: Likeliest | None = None
    #: [new_length] int64, for rules that change the length: the old position each new one comes
    #: from, -1 for a new mask. None: nothing moved.
    source: Tensor | None = None


class GivenChangedError(AssertionError):
    """A sampler wrote where it must not: a bug in the sampler."""


@dataclass
class Canvas:
    """Token ids and which of them are given.

    Args:
        token_ids: [length] int64.
        given: [length] bool; true for the context and for every token that must not change.
        mask_id: the absorbing token, or None.
    """

    token_ids: Tensor
    given: Tensor
    mask_id: int | None
    #: [length] bool: settled so far; given positions count as settled.
    committed: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Start with what is given, settled."""
        self.committed = self.given.clone()

    @property
    def length(self) -> int:
        """Number of positions, context included."""
        return int(self.token_ids.numel())

    def open_positions(self) -> Tensor:
        """Return [n_open] int64, ascending: the positions that are not given."""
        return (~self.given).nonzero().squeeze(1)

    def apply(self, update: Update) -> None:
        """Take over a sampler's decision. The only place where token ids are written.

        Raises:
            GivenChangedError: the update touches, moves or drops a given position.
        """
        source = update.source
        if source is None:
            if not torch.equal(update.token_ids[self.given], self.token_ids[self.given]):
                raise GivenChangedError("a given position was overwritten")
            given = self.given
        else:
            kept = source >= 0
            old = source.clamp_min(0)
            given = self.given[old] & kept
            if not torch.equal(source[given], self.given.nonzero().squeeze(1)):
                raise GivenChangedError("a given position was dropped or moved past another")
            if not torch.equal(update.token_ids[given], self.token_ids[self.given]):
                raise GivenChangedError("a given position was overwritten")
        self.token_ids = update.token_ids
        self.given = given
        earlier = self.committed if source is None else self.committed[old] & kept
        self.committed = given | update.committed | (earlier & ~self._masked())

    def _masked(self) -> Tensor:
        if self.mask_id is None:
            return torch.zeros_like(self.given)
        return self.token_ids == self.mask_id
