"""A model as the modes see it: two abilities, and how text is put to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from model_runtime.models.base import Denoiser
    from model_runtime.text.calibration import Calibration
    from model_runtime.text.layout import CanvasLayout


class Model(Protocol):
    """What a job works with."""

    @property
    def denoiser(self) -> Denoiser:
        """Denoises a canvas, and says how likely a text is where its family can."""

    @property
    def layout(self) -> CanvasLayout:
        """Lays requests out as the model was trained to see them."""

    @property
    def calibration(self) -> Calibration:
        """What the model's own probabilities are worth."""

    @property
    def device_text(self) -> str:
        """Say for people on what it runs, e.g. "cpu, int8, 2 threads"."""

    def within(self, n_tokens: int) -> Self:
        """Return the model with room for only so many tokens of context."""
