"""Fill masks in a canvas that grows and shrinks.

DreamOn (Wu et al. 2026, arXiv 2602.01326): one mask is committed at each step, the surest, and with
a `threshold` all that are sure (as in Fast-dLLM, arXiv 2505.22618, section 3.3); one that becomes
the expand token turns into two masks, and one that becomes end-of-text is deleted. With
`pad_eos_right`, an end-of-text makes all masks to its right end-of-text as well. Expanding stops at
`max_tokens` open positions and after `n_expansions` of them: the token is impossible then, as it is
in the last step.

The published code looks for the first end-of-text in the whole canvas; here an end-of-text that is
given, such as one between files in the prefix, does not count, nor does one in another span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import torch

from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update
from model_runtime.decoding.choose import (
    Certainty,
    at,
    certainty,
    clean_logits,
    narrowed,
    pick,
    top,
    top_at_random,
)
from model_runtime.decoding.schedule import quota
from model_runtime.samplers.base import Count, NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor


class ExpandParams(Params, frozen=True):
    """DreamOn's settings; a family without one of the tokens leaves its id out."""

    expand_id: int | None = None
    #: End-of-text, which deletes.
    eos_id: int | None = None
    delete_eos: bool = True
    pad_eos_right: bool = False
    #: Open positions, filled ones included; a canvas that begins with more does not grow.
    max_tokens: Count = 64
    #: None allows as many as `max_tokens`.
    n_expansions: Count | None = None
    kind: Certainty = "entropy"
    #: Commit every token at least this probable, expansions and deletions among them.
    threshold: Share | None = None
    #: The least number of masks that a step commits.
    n_at_once: Annotated[int, msgspec.Meta(ge=1)] = 1
    #: 0 takes the most probable token.
    temperature: NonNegative = 0.0
    top_p: Share = 1.0
    #: Positions are drawn from softmax(certainty / alg_temp); 0 takes the surest.
    alg_temp: NonNegative = 0.0


@dataclass
class Growing:
    """A block of changing length."""

    block: Block
    steps_left: int
    rng: torch.Generator
    #: Expansions that are still allowed.
    expansions_left: int
    #: [length] bool: the block's positions on the canvas as it stands.
    open: Tensor
    #: [n_masked] int64: which of them are masks.
    masked: Tensor


class Expand(Sampler[Growing, ExpandParams]):
    """DreamOn's rule. With fewer steps than masks, several are committed at each."""

    name: ClassVar[str] = "expand"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = ExpandParams
    grows: ClassVar[bool] = True
    surest_first: ClassVar[bool] = True

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Growing:
        """See `Sampler.begin`."""
        n_expansions = self.params.n_expansions
        if n_expansions is None:
            n_expansions = self.params.max_tokens
        return Growing(
            block,
            n_steps,
            rng,
            n_expansions,
            torch.zeros_like(block.given).index_fill(0, block.positions, 1),
            block.positions[block.masked(block.token_ids)],
        )

    def query(self, state: Growing) -> Query:
        """Ask about every mask of the block."""
        return Query(state.masked)

    def step(self, token_ids: Tensor, prediction: Prediction, state: Growing) -> Update:
        """Commit the surest tokens, then expand and delete."""
        asked, n_room = state.masked, self._n_room(state)
        mask_id = state.block.require_mask()
        tokens, confidence, chances = self._draw(prediction.rows, n_room, state)
        n_commit = max(quota(len(asked), state.steps_left), self.params.n_at_once)
        if self.params.alg_temp > 0:
            chosen = top_at_random(confidence / self.params.alg_temp, n_commit, state.rng)
        else:
            chosen = top(confidence, n_commit)
        if self.params.threshold is not None:
            chosen = chosen | (chances >= self.params.threshold)
        token_ids = token_ids.index_copy(0, asked[chosen], tokens[chosen])

        filled = torch.zeros_like(state.open).index_fill(0, asked, 1)
        if self.params.pad_eos_right:
            padded = filled & _behind(_is(token_ids, self.params.eos_id), state.open)
            token_ids = token_ids.masked_fill(padded, self.params.eos_id or 0)
        expanded = filled & _is(token_ids, self.params.expand_id)
        token_ids = token_ids.masked_fill(expanded, mask_id)
        expanded &= expanded.cumsum(0) <= n_room
        deleted = filled & _is(token_ids, self.params.eos_id) & self.params.delete_eos

        n_copies = 1 + expanded.long() - deleted.long()
        source = torch.arange(len(token_ids), device=token_ids.device).repeat_interleave(n_copies)
        token_ids, state.open = token_ids[source], state.open[source]
        masked = state.open & (token_ids == mask_id)
        state.masked = masked.nonzero().squeeze(1)
        state.expansions_left -= int(expanded.sum())
        state.steps_left -= 1
        shown = torch.full_like(filled, torch.nan, dtype=torch.float32)
        second = torch.zeros_like(masked)
        second[1:] = source[1:] == source[:-1]
        return Update(
            token_ids=token_ids,
            committed=filled[source] & ~masked,
            done=not len(state.masked),
            confidence=shown.index_copy(0, asked, confidence)[source],
            source=source.masked_fill(second, -1),
        )

    def _draw(self, rows: Tensor, n_room: int, state: Growing) -> tuple[Tensor, Tensor, Tensor]:
        """Return a token a mask, how sure each is and how probable; all [n_masked]."""
        params = self.params
        mask_id = state.block.mask_id
        if n_room == 0:
            rows = clean_logits(rows, params.expand_id)
        clean = narrowed(clean_logits(rows, mask_id), params.temperature, params.top_p, 0)
        tokens = pick(clean, params.temperature, state.rng)
        probabilities = narrowed(rows, params.temperature, params.top_p, 0)
        sure = certainty(probabilities, tokens, params.kind, mask_id)
        return tokens, sure, at(probabilities, tokens)

    def _n_room(self, state: Growing) -> int:
        """Return how many masks may still become two."""
        if state.steps_left == 1:
            return 0
        n_free = self.params.max_tokens - int(state.open.sum())
        return max(0, min(n_free, state.expansions_left))


def _is(token_ids: Tensor, token_id: int | None) -> Tensor:
    """Return [length] bool: where the token stands; nowhere if there is none."""
    return token_ids.eq(-1 if token_id is None else token_id)


def _behind(ends: Tensor, is_open: Tensor) -> Tensor:
    """Return [length] bool: which positions have one of `ends` at or before them in their span.

    Args:
        ends: [length] bool.
        is_open: [length] bool; a span is a run of open positions.
    """
    index = torch.arange(len(ends), device=ends.device)
    last_end = index.where(ends & is_open, -1).cummax(0).values
    last_wall = index.where(~is_open, -1).cummax(0).values
    return last_end > last_wall
