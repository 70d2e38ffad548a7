"""Draft many tokens at once, keep those that the causal model would have said itself.

One forward does both. Its base rows check the drafts that stand on the canvas; its canvas rows
draft what comes next, once behind every prefix that the check may turn out to accept. So each
forward settles the accepted drafts and one token more, and leaves fresh drafts for the next one.
At temperature 0 the result is the causal model's own greedy text; above it, a sample from the
causal model: a draft is accepted when it is the very token drawn from the base's row.

A text that stands on the canvas when a block begins is a draft as well, and the first one: many of
its tokens are checked in one forward, so what does not change costs little. Where the base departs
from it, the canvas drafts again, until the text is met once more (`decoding.first_text`). With
`lenience` below 1 its tokens need not be the base's best to stay (typical acceptance, Cai et al.
2024, arXiv 2401.10774, section 3.3.1).

Where the text ends as it ended once before, what followed then is a draft as well
(`decoding.lookup`); of it and the canvas's own tokens the one is checked of which more are likely
to be right.

After speculative decoding (Leviathan et al. 2023, arXiv 2211.17192, Algorithm 1) with drafts from
masks in the verifying forward itself (Samragh et al. 2025, arXiv 2507.11851, section 3.2), which is
Eso-LM's order (Sahoo et al. 2025, arXiv 2506.01928, section 4): diffusion proposes, the
left-to-right phase settles.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate, takewhile
from math import prod
from operator import mul
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import torch

from model_runtime.decoding.canvas import Likeliest, Query, Update
from model_runtime.decoding.choose import at, clean_logits, pick, tempered
from model_runtime.decoding.first_text import FirstText
from model_runtime.decoding.lookup import chances_of, followers, repeated
from model_runtime.samplers.base import NonNegative, Params, Sampler, Share

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind

#: Tokens of the first text that are checked in one forward: more would cost more than they save.
_N_CHECKED = 32
#: Tokens of a repeat that are checked in one forward, at most.
_N_LOOKED_UP = 12
#: Tokens named beside each one that is settled: the others have next to nothing of the probability.
_N_LIKELIEST = 8


class HybridParams(Params, frozen=True):
    """How boldly to draft."""

    #: Drafts on the canvas at a time; 0 decodes one token a forward, as the base does.
    n_drafts: Annotated[int, msgspec.Meta(ge=0, le=16)] = 3
    #: Whether the canvas drafts; where it was not trained to (a base without an adapter), drafts
    #: come from repeats and the text that stood there alone.
    from_canvas: bool = True
    #: A draft stays only while the product of the drafts' probabilities is at least this.
    threshold: Share = 0.1
    #: Behind an outcome of the check that is less likely than this nothing is drafted: every row
    #: costs, and few of these would be of use.
    least_outcome: Share = 0.2
    #: So many tokens have to stand before for what followed them to be drafted; 0 never looks.
    n_repeated: Annotated[int, msgspec.Meta(ge=0, le=8)] = 1
    #: A draft's logit is raised by this times log(1 + how often the token follows the one before it
    #: in the text so far): what a file says, it says again.
    follows: NonNegative = 2.0
    #: 0 takes the causal model's best token; above it, its tokens are drawn.
    temperature: NonNegative = 0.0
    #: A token of the text that stood on the canvas stays where its probability is at least this
    #: share of the best one's; at 1 only where it is the one the causal model would say.
    lenience: Share = 1.0


@dataclass
class Progress:
    """Where a block stands."""

    block: Block
    rng: torch.Generator
    steps_left: int
    #: The first position that is not settled, and the end of the block.
    next: int
    end: int
    #: What stood on the canvas when the block began.
    first_text: FirstText
    #: Of each draft standing at `next` and behind it, not yet checked: how likely it is right.
    chances: list[float] = field(default_factory=list)
    #: Whether they are of the first text; else the canvas's own.
    is_first_text: bool = False

    @property
    def n_standing(self) -> int:
        """Drafts that the next check is of."""
        return len(self.chances)

    def outcome(self, n_accepted: int) -> float:
        """Return how likely the check is to accept so many of them and no more."""
        stops = 1 - self.chances[n_accepted] if n_accepted < self.n_standing else 1.0
        return prod(self.chances[:n_accepted]) * stops

    @property
    def n_open(self) -> int:
        """Positions that are not settled."""
        return self.end - self.next


class Hybrid(Sampler[Progress, HybridParams]):
    """Diffusion drafts, the causal model decides. For order-based families only."""

    name: ClassVar[str] = "hybrid"
    accepts: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    params_type: ClassVar[type[Params]] = HybridParams
    ordered: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Progress:
        """Start at the block's first position; its positions follow one another."""
        first, end = int(block.positions[0]), int(block.positions[-1]) + 1
        n_text = int((~block.masked(block.token_ids)).int().cumprod(0).sum())
        first_text = FirstText(block.token_ids[first : first + n_text].tolist())
        state = Progress(block, rng, n_steps, first, end, first_text)
        state.chances = [1.0] * min(n_text, _N_CHECKED)
        state.is_first_text = n_text > 0
        return state

    def query(self, state: Progress) -> Query:
        """Ask for the check of each standing draft, and for drafts behind each outcome."""
        if state.steps_left == 1:
            # The budget is at its end: all that is left, as the canvas sees it now.
            positions = torch.arange(state.next, state.end)
            return Query(positions, visible=torch.full_like(positions, state.next))
        checks = torch.arange(state.next, state.next + self._n_checks(state))
        drafts = [self._draft_positions(state, int(check)) for check in checks]
        behind = [torch.full_like(d, int(c)) for d, c in zip(drafts, checks, strict=True)]
        return Query(
            torch.cat([checks, *drafts]),
            visible=torch.cat([checks, *behind]),
            n_at_once=len(checks),
        )

    def step(self, token_ids: Tensor, prediction: Prediction, state: Progress) -> Update:
        """Settle what the base agrees with and its next token; leave new drafts standing."""
        rows = clean_logits(prediction.rows, state.block.mask_id)
        updated, confidence = token_ids.clone(), torch.zeros(len(token_ids))
        state.steps_left -= 1
        if state.steps_left == 0:
            self._settle(rows, updated, confidence, state)
            return self._update(updated, confidence, state)

        n_checks = self._n_checks(state)
        probabilities = rows[:n_checks].softmax(-1)
        said = self._say(rows[:n_checks], probabilities, state.rng)
        # The last check says the token behind the drafts, so there is no draft for it to accept.
        drafts = token_ids[state.next : state.next + n_checks - 1]
        agreed = said[:-1] == drafts
        if state.is_first_text and self.params.lenience < 1:
            best = probabilities[:-1].amax(-1)
            agreed |= at(probabilities[:-1], drafts) >= self.params.lenience * best
        n_accepted = int(agreed.int().cumprod(0).sum())
        said[:n_accepted] = drafts[:n_accepted]

        # The canvas rows drafted behind every outcome of the check; this is the one that came.
        n_skipped = n_checks + sum(
            len(self._draft_positions(state, state.next + j)) for j in range(n_accepted)
        )
        n_fresh = len(self._draft_positions(state, state.next + n_accepted))

        settled = slice(state.next, state.next + n_accepted + 1)
        updated[settled] = said[: n_accepted + 1]
        confidence[settled] = at(probabilities, said)[: n_accepted + 1]
        n_best = min(_N_LIKELIEST, probabilities.shape[1])
        chances, ids = probabilities[: n_accepted + 1].topk(n_best)
        likeliest = Likeliest(torch.arange(settled.start, settled.stop), ids, chances)
        state.next = settled.stop
        updated[state.next : state.end] = self._mask(state)
        if state.is_first_text:
            state.first_text.read(n_accepted)
        fresh = state.first_text.behind(int(said[n_accepted]))[: min(_N_CHECKED, state.n_open)]
        state.is_first_text = bool(fresh)
        sure = [1.0] * len(fresh)
        if not fresh and self.params.n_drafts:
            so_far, behind = updated[: state.next], range(n_skipped, n_skipped + n_fresh)
            fresh, sure = max(
                self._draft(prediction, behind, so_far, state),
                self._repeat(so_far, state),
                key=lambda draft: _n_right(draft[1]),
            )
        state.chances = sure
        placed = slice(state.next, state.next + len(fresh))
        updated[placed], confidence[placed] = torch.tensor(fresh), torch.tensor(sure)
        return replace(self._update(updated, confidence, state), likeliest=likeliest)

    def _repeat(self, settled: Tensor, state: Progress) -> tuple[list[int], list[float]]:
        """Return drafts that are looked up, and their probabilities; see `_draft`."""
        if not self.params.n_repeated:
            return [], []
        n_next = min(_N_LOOKED_UP, state.n_open)
        drafts, n_agreed = repeated(settled, self.params.n_repeated, n_next)
        return self._bold(drafts, chances_of(n_agreed, len(drafts)))

    def _bold(self, drafts: list[int], chances: list[float]) -> tuple[list[int], list[float]]:
        """Return the drafts up to where they are too unlikely to be right."""
        likely = takewhile(lambda p: p >= self.params.threshold, accumulate(chances, mul))
        n_bold = sum(1 for _ in likely)
        return drafts[:n_bold], chances[:n_bold]

    def _draft(
        self, prediction: Prediction, rows: range, settled: Tensor, state: Progress
    ) -> tuple[list[int], list[float]]:
        """Return drafts, and their probabilities, for as long as they are bold enough.

        Args:
            prediction: of this step.
            rows: the canvas rows behind the outcome of the check, in the order of the positions.
            settled: [n] the canvas up to and with the token that was settled last.
            state: of the block.
        """
        previous = settled[-1]
        drafts: list[int] = []
        chances: list[float] = []
        for index in rows:
            row = (
                prediction.rows[index][None]
                if prediction.follow is None
                else prediction.follow(torch.tensor([index]), previous[None])
            )
            logits = clean_logits(row, state.block.mask_id)[0]
            if self.params.follows:
                token_ids, counts = followers(settled, int(previous))
                logits = logits.index_add(0, token_ids, self.params.follows * counts.log1p())
            chance, token = logits.softmax(-1).max(-1)
            if prod(chances) * float(chance) < self.params.threshold:
                break
            previous = token
            drafts.append(int(token))
            chances.append(float(chance))
        return drafts, chances

    def _n_checks(self, state: Progress) -> int:
        """Every standing draft is checked, and the token behind the last one said."""
        return min(state.n_standing + 1, state.n_open)

    def _draft_positions(self, state: Progress, check: int) -> Tensor:
        """Return the positions to draft if the token at `check` is the last one settled.

        None while the first text stands: mostly it goes on, and each check would need its own.
        """
        if not self.params.from_canvas or state.is_first_text:
            return torch.arange(0)
        if state.outcome(check - state.next) < self.params.least_outcome:
            return torch.arange(0)
        last = min(check + self.params.n_drafts, state.end - 1)
        return torch.arange(check + 1, max(check, last) + 1)

    def _say(self, rows: Tensor, probabilities: Tensor, rng: torch.Generator) -> Tensor:
        """Return the base's own token for each row [n]."""
        if self.params.temperature == 0:
            return probabilities.argmax(-1)
        return pick(tempered(rows, self.params.temperature), self.params.temperature, rng)

    def _settle(self, rows: Tensor, updated: Tensor, confidence: Tensor, state: Progress) -> None:
        """Settle all that is left, unchecked."""
        best = rows.softmax(-1).max(dim=-1)
        updated[state.next : state.end] = best.indices
        confidence[state.next : state.end] = best.values
        state.next = state.end

    def _mask(self, state: Progress) -> int:
        """Return the mask token: order-based families have one."""
        return 0 if state.block.mask_id is None else state.block.mask_id

    def _update(self, updated: Tensor, confidence: Tensor, state: Progress) -> Update:
        committed = torch.zeros(len(updated), dtype=torch.bool)
        committed[int(state.block.positions[0]) : state.next] = True
        return Update(updated, committed, done=state.next == state.end, confidence=confidence)


def _n_right(chances: list[float]) -> float:
    """Return how many drafts of a run are right on average: each one, if all before it are."""
    n_right: float = sum(accumulate(chances, mul))
    return n_right
