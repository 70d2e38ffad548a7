"""The canvas family: a causal base model that denoises a canvas behind its own context.

The given tokens and every settled one that only settled tokens precede form the prefix: it goes
through the unchanged base, causally, and is kept in a cache. Behind it stand the canvas rows, which
see the whole prefix and, in both directions, each other.

Alignment: the base predicts the next token, so the row that predicts position i is fed the token
(or mask) at i - 1, at that token's place. The shift is undone here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from model_runtime.caches.causal import CausalCache
from model_runtime.decoding.canvas import Prediction
from model_runtime.errors import CanvasTooLong
from model_runtime.models.base import PREFILL_ROWS, CausalDenoiser, Judgement
from model_runtime.models.crossing import sent
from model_runtime.models.gated import GatedModel, Rows
from model_runtime.models.rows import (
    Trie,
    base_rows,
    mask_depths,
    rows_behind,
    rows_of_texts,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, PredictionKind, Query

#: Rows whose whole distribution is held at a time.
JUDGED_ROWS = 64
R = TypeVar("R")


class CanvasDenoiser(CausalDenoiser):
    """The default family.

    Args:
        model: base and adapter.
        mask_id: stands for a mask on the canvas; a control token that text can't hold.
        max_length: the longest canvas, context included.
    """

    name: ClassVar[str] = "canvas"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    caches: ClassVar[frozenset[str]] = frozenset({"causal"})
    ordered: ClassVar[bool] = True
    sees: ClassVar[Literal["file", "blocks", "left"]] = "left"
    judges: ClassVar[bool] = True

    def __init__(self, model: GatedModel, mask_id: int, max_length: int) -> None:
        self.model = model
        self.mask_id: int = mask_id
        self.vocab_size = model.config.vocab_size
        self.max_length = max_length
        self.device = model.device

    def each(self, works: Sequence[Callable[[], R]]) -> list[R]:
        """Do pieces of work side by side: what they ask of the model is computed together."""
        return self.model.side_by_side.each(works)

    def new_cache(self) -> CausalCache:
        """Return an empty cache that fits the base."""
        config = self.model.config
        return CausalCache(
            config.n_layers, config.n_kv_heads, config.head_dim, self.model.dtype, self.device
        )

    def encode(
        self,
        token_ids: list[int],
        cache: CausalCache,
        check: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Encode in stretches of `PREFILL_ROWS`; see `CausalDenoiser.encode`."""
        if len(token_ids) > self.max_length:
            raise CanvasTooLong(
                f"the context has {len(token_ids)} tokens; the model takes {self.max_length}"
            )
        cache.rewind(token_ids)
        width = self.model.config.width
        hidden = [torch.empty(0, width, dtype=self.model.dtype, device=self.device)]
        while len(cache) < len(token_ids):
            check()
            # What is ahead costs nothing, and is not cut through.
            least = 0 if cache.ahead is None else cache.ahead.end
            fed = token_ids[len(cache) : max(len(cache) + PREFILL_ROWS, least)]
            hidden.append(self._hidden(base_rows(fed, len(cache)), cache))
            cache.keep(fed)
        return torch.cat(hidden)

    def _hidden(self, rows: Rows, cache: CausalCache) -> Tensor:
        """Feed what is not kept of rows behind the kept ones; return [n_rows, width].

        What the cache holds ahead is not computed, and nothing is said of it.
        """
        if cache.ahead is None:
            return self.model.hidden(rows, cache)
        first, n_ahead = cache.ahead.start - len(cache), cache.n_ahead
        hidden = self.model.hidden(without(rows, first, n_ahead), cache)
        unsaid = hidden.new_zeros(n_ahead, hidden.shape[1])
        return torch.cat((hidden[:first], unsaid, hidden[first:]))

    def turn(self, keys: Tensor, n_positions: int) -> Tensor:
        """See `CausalDenoiser.turn`."""
        return self.model.turn(keys, n_positions)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the model once; see `Denoiser.predict`.

        With `query.visible`, row k stands behind the first `visible[k]` tokens of the canvas and
        sees masks from there up to its own position. A row with no mask before it is a base row:
        causal, exact, adapter off.

        Rows have no order but the canvas's own here: a query with another one is answered from the
        canvas as it stands, which holds the same clean tokens.
        """
        cache = _causal(cache)
        positions, visible = query.positions, query.visible
        if visible is None or query.order is not None:
            masked = canvas.token_ids == self.mask_id
            n_settled = int(masked.int().argmax())
            if not bool(masked[n_settled:].all()) or int(positions.min()) < n_settled:
                return self._predict_among(canvas, masked, positions, cache)
            visible = torch.full_like(positions, n_settled)
        return self._predict_behind(canvas, positions, visible, query.n_at_once, cache)

    def judge_several(
        self,
        context: list[int],
        texts: Sequence[Sequence[int]],
        cache: Cache,
        n_best: int = 1,
        check: Callable[[], None] = lambda: None,
        *,
        behind: Sequence[int] = (),
    ) -> list[Judgement]:
        """Say how likely the base finds each token of each text, given all to its left.

        What texts have in common at their start is computed once, and one forward serves as many
        of them as have `PREFILL_ROWS` tokens without that, and the one that has more.

        Args:
            context: [n_context] what stands before each of them, at least one token; kept in the
                cache.
            texts: what is judged, none of them empty.
            cache: what it holds of the context is not computed again.
            n_best: how many of the likeliest tokens to name.
            check: called before every forward; raises to stop in between.
            behind: nothing: what follows a text stands in the context here.
        """
        if behind:
            raise ValueError("a causal family can't be asked about a text with one behind it")
        cache = _causal(cache)
        judged: list[Judgement] = []
        while len(judged) < len(texts):
            trie, paths = Trie(), list[list[int]]()
            for text in texts[len(judged) :]:
                if len(trie) >= PREFILL_ROWS:
                    break
                # Nothing is asked about what comes behind a text.
                paths.append(trie.add(text[:-1]))
            group = texts[len(judged) : len(judged) + len(paths)]
            hidden = self._read(context, trie, cache, check)
            judged += self._judge(hidden, paths, group, n_best)
        return judged

    def _read(
        self, context: list[int], texts: Trie, cache: CausalCache, check: Callable[[], None]
    ) -> Tensor:
        """Return the hidden rows of the context's last token and of each node behind it."""
        cache.rewind(context[:-1])
        if len(context) - len(cache) - cache.n_ahead > PREFILL_ROWS:
            self.encode(context[:-PREFILL_ROWS], cache, check)
        check()
        first = len(cache)
        hidden = self._hidden(rows_of_texts(context[first:], first, texts), cache)
        cache.keep(context[first:-1])
        return hidden[len(context) - first - 1 :]

    def _judge(
        self, hidden: Tensor, paths: list[list[int]], texts: Sequence[Sequence[int]], n_best: int
    ) -> Iterator[Judgement]:
        """Judge texts by the rows of `_read`: the first one says the first token of each."""
        row = torch.tensor([node + 1 for path in paths for node in (-1, *path)])
        token_ids = torch.tensor([token_id for text in texts for token_id in text])
        own = torch.empty(len(row))
        best = []
        for start in range(0, len(hidden), JUDGED_ROWS):
            rows = hidden[start : start + JUDGED_ROWS]
            is_base = torch.ones(len(rows), dtype=torch.bool)
            log_p = self.model.logits(rows, is_base).log_softmax(-1)
            here = (row >= start) & (row < start + len(rows))
            own[here] = log_p[row[here] - start, token_ids[here]]
            best.append(log_p.topk(n_best))
        parts = (own, *(torch.cat(part)[row] for part in zip(*best, strict=True)))
        n_tokens = [len(text) for text in texts]
        yield from map(Judgement, *(part.split(n_tokens) for part in parts))

    def _predict_behind(
        self,
        canvas: Canvas,
        positions: Tensor,
        visible: Tensor,
        n_at_once: int | None,
        cache: CausalCache,
    ) -> Prediction:
        """Predict rows behind prefixes of different lengths, all in one forward.

        What the cache lacks of the prefix is encoded in that same forward, unless it is long.
        """
        # What is asked and the canvas are the processor's own: to look into them waits for nothing.
        last = int(visible.max())
        settled = canvas.token_ids[:last].tolist()
        # The base rows that are asked for have to be fed, kept or not.
        cache.rewind(settled[: int(visible.min()) - 1])
        if last - len(cache) - cache.n_ahead > PREFILL_ROWS:
            self.encode(settled[: last - PREFILL_ROWS], cache)
        first = len(cache)
        rows, wanted = rows_behind(canvas.token_ids[first:last], first, positions, visible)
        # Sent before the forward: some devices would wait for that.
        wanted = sent(wanted, self.device)
        hidden = self._hidden(rows, cache)[wanted]
        # What is not settled after all will not match the canvas, and is rewound then.
        cache.keep(settled[first:])
        is_base = positions == visible
        if self.model.adapter is None:
            return Prediction("logits", self.model.logits(hidden, is_base))
        logits = self.model.logits(hidden[:n_at_once], is_base[:n_at_once])
        return Prediction(
            "logits",
            logits,
            lambda rows, previous: self.model.follow(hidden[sent(rows, self.device)], previous),
        )

    def _predict_among(
        self, canvas: Canvas, masked: Tensor, positions: Tensor, cache: CausalCache
    ) -> Prediction:
        """Predict rows that also see settled tokens to their right: canvas rows all of them.

        Masks behind the last row that is asked for, and behind all settled ones, are not fed: they
        say nothing, and training knows no longer runs of them than a block's.
        """
        # The processor's own again.
        first = int(canvas.open_positions()[0]) - 1
        last = max(int(positions.max()) - 1, int((~masked).nonzero()[-1]))
        self.encode(canvas.token_ids[:first].tolist(), cache)
        fed = torch.where(masked, -mask_depths(masked), canvas.token_ids)[first : last + 1]
        n_rows, n_kept = len(fed), len(cache)
        rows = Rows(
            token_ids=fed,
            positions=torch.arange(first, first + n_rows),
            visible=torch.ones(n_rows, n_kept + n_rows, dtype=torch.bool),
            n_base=0,
        )
        wanted = sent(positions - 1 - first, self.device)
        hidden = self.model.hidden(rows, cache)[wanted]
        is_base = torch.zeros(len(positions), dtype=torch.bool)
        return Prediction("logits", self.model.logits(hidden, is_base))


def _causal(cache: Cache) -> CausalCache:
    if not isinstance(cache, CausalCache):  # check_pairing lets no other through
        raise TypeError(f"the canvas family can't use {cache.name!r}")
    return cache
