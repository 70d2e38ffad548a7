"""The contract of a model family, and the two abilities that modes ask of it.

*Denoise this canvas*: `predict`, whose row k is about the position asked for. *How likely is this
text here*: `judge_several` and `judge_each`, for the families that can tell. A mode needs nothing
else, so a family that offers both has every mode.

A family undoes its own alignment (Dream's shift, SEDD's normalisation) and owns its special
tokens; it knows no sampling rule. One family is one file, and the file name is the registry key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from model_runtime.caches.none import NoCache
from model_runtime.errors import UnsupportedPairing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.caches.causal import CausalCache
    from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query, Region

R = TypeVar("R")
#: Rows of context that a causal family encodes in one forward: bounds the memory of a long context,
#: and the time until a cancelled request is noticed.
PREFILL_ROWS = 512


@dataclass(frozen=True)
class Judgement:
    """What a model thinks of the tokens of a text."""

    #: [n] float32: log-probability of the tokens themselves.
    own: Tensor
    #: [n, n_best] float32 and int64: the likeliest tokens' log-probabilities, and which they are.
    best: Tensor
    best_ids: Tensor


class Denoiser(ABC):
    """A model, wrapped so that prediction row k is about position `query.positions[k]`."""

    #: File name and registry key.
    name: ClassVar[str]
    #: The kinds of prediction the family can give.
    kinds: ClassVar[frozenset[PredictionKind]]
    #: Registry names of the caches that fit the family; "none" always does.
    caches: ClassVar[frozenset[str]] = frozenset({"none"})
    #: Whether the family can be asked with `Query.visible`.
    ordered: ClassVar[bool] = False
    #: What a row sees: the whole "file", the "blocks" up to its own, or what stands to its "left",
    #: a canvas behind that apart.
    sees: ClassVar[Literal["file", "blocks", "left"]] = "file"
    #: Whether the family can say how likely a text is.
    judges: ClassVar[bool] = False

    #: The absorbing token; None for families of uniform noise.
    mask_id: int | None
    vocab_size: int
    #: The longest canvas, context included.
    max_length: int
    device: torch.device
    #: Positions of one block, counted from the start of the canvas, for families that see no later
    #: block than their own; None for families that see the whole canvas.
    block_length: int | None = None

    @abstractmethod
    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the model once: rows [n_rows, vocab] float32 for the query's positions."""

    def predict_between(
        self,
        context: list[int],
        regions: Sequence[Region],
        behind: Sequence[int],
        cache: Cache,
        check: Callable[[], None] = lambda: None,
    ) -> list[Tensor]:
        """Predict several texts in the same place, each as if it stood there alone.

        Args:
            context: [n_context] what stands before each.
            regions: the texts.
            behind: [n_behind] what stands behind each.
            cache: what it holds of the surroundings is not computed again.
            check: called before every forward; raises to stop in between.

        Returns:
            for each region [n_asked, vocab] float32, on the processor.

        Raises:
            UnsupportedPairing: the family sees nothing behind a text.
        """
        del context, regions, behind, cache, check
        raise UnsupportedPairing(f"the {self.name!r} family sees nothing behind a text")

    def new_cache(self) -> Cache:
        """Return an empty cache, the best one that fits, for a request's canvases."""
        return NoCache()

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
        """Say how likely each text is here, token by token, each given those to its left.

        The sum over a text is its log-probability between what stands around it: exact for a causal
        family, a bound for the others (see `parts.likelihood`).

        Args:
            context: [n_context] what stands before each of them, at least one token.
            texts: what is judged, none of them empty.
            cache: what it holds of the surroundings is not computed again.
            n_best: how many of the likeliest tokens to name.
            check: called before every forward; raises to stop in between.
            behind: [n_behind] what stands behind each of them; masks where it is open. A causal
                family can't see it.

        Raises:
            UnsupportedPairing: the family can't tell.
        """
        del context, texts, cache, n_best, check, behind
        raise UnsupportedPairing(f"the {self.name!r} family can't say how likely a text is")

    def judge_each(
        self,
        context: list[int],
        text: Sequence[int],
        cache: Cache,
        n_best: int = 1,
        check: Callable[[], None] = lambda: None,
        *,
        behind: Sequence[int] = (),
    ) -> Judgement:
        """Say how likely each token of a text is, given all others that the family can see.

        For the arguments and what is raised see `judge_several`; it is the same to a causal family.
        """
        (judged,) = self.judge_several(context, [text], cache, n_best, check, behind=behind)
        return judged

    def each(self, works: Sequence[Callable[[], R]]) -> list[R]:
        """Do pieces of work that don't need each other, side by side where the family can."""
        return [work() for work in works]


class CausalDenoiser(Denoiser):
    """A family whose context is read from left to right, and kept: see `CausalCache`."""

    @abstractmethod
    def encode(
        self,
        token_ids: list[int],
        cache: CausalCache,
        check: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Bring the cache to stand for `token_ids`.

        Args:
            token_ids: [n] the prefix of a canvas.
            cache: what it holds already is not computed again.
            check: called before every forward; raises to stop in between.

        Returns:
            [n, width] the hidden rows of what was not in the cache yet; of what it held ahead,
            zeros.

        Raises:
            CanvasTooLong: more tokens than `max_length`.
        """

    @abstractmethod
    def turn(self, keys: Tensor, n_positions: int) -> Tensor:
        """Return keys [..., n, n_kv_heads, head_dim] as they are `n_positions` further on."""
