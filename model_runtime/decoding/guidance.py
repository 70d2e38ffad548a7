"""Classifier-free guidance: lean away from what the canvas would say without its context.

Unsupervised, as in LLaDA (Nie et al. 2025, arXiv 2502.09992, appendix; Ho and Salimans 2022, arXiv
2207.12598, eq. 6): where c are the logits and u those of the canvas with every given token masked,
the guided logits are u + (scale + 1)(c - u). Every step costs two forwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.decoding.canvas import Canvas, Prediction
from model_runtime.errors import UnsupportedPairing
from model_runtime.models.base import Denoiser

if TYPE_CHECKING:
    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import PredictionKind, Query


class GuidedDenoiser(Denoiser):
    """A denoiser of masks whose logits are guided. It keeps no cache: the two canvases differ.

    Args:
        denoiser: asked twice at every step.
        scale: 0 changes nothing.

    Raises:
        UnsupportedPairing: the family has no mask.
    """

    name: ClassVar[str] = "guided"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})

    def __init__(self, denoiser: Denoiser, scale: float) -> None:
        if denoiser.mask_id is None:
            raise UnsupportedPairing(
                f"guidance masks the context, and the {denoiser.name!r} family has no mask"
            )
        self.denoiser = denoiser
        self.scale = scale
        self.mask_id = self._mask_id = denoiser.mask_id
        self.vocab_size = denoiser.vocab_size
        self.max_length = denoiser.max_length
        self.device = denoiser.device

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """See `Denoiser.predict`."""
        token_ids = canvas.token_ids.masked_fill(canvas.given, self._mask_id)
        blind = Canvas(token_ids, canvas.given, self._mask_id)
        sighted = self.denoiser.predict(canvas, query, cache).rows
        unsighted = self.denoiser.predict(blind, query, cache).rows
        return Prediction("logits", unsighted + (self.scale + 1) * (sighted - unsighted))
