"""The contract of a model family: a denoiser whose row k predicts the position asked for.

A family undoes its own alignment (Dream's shift, SEDD's normalisation) and owns its special
tokens; it knows no sampling rule. One family is one file, and the file name is the registry key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch

    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query


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
