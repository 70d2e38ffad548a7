"""A family that is loaded from a published checkpoint: what the loader asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from model_runtime.decoding.canvas import Canvas, Query, Region
from model_runtime.errors import CanvasTooLong, UnsupportedPairing
from model_runtime.models.base import Denoiser, Judgement
from model_runtime.models.parts.likelihood import judge_each, judge_several

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights
    from model_runtime.models.parts.config import Config


@dataclass(frozen=True)
class SmallSize:
    """How large a small model is, where one is trained here."""

    #: Of the vocabulary.
    n_tokens: int
    width: int
    n_layers: int
    n_heads: int
    #: Tokens of a text.
    max_length: int


class Family(Denoiser):
    """A denoiser made of a configuration and named tensors.

    Args:
        config: an instance of `config_type`.
        weights: asked for every tensor by its published name.
    """

    #: What `config.json` has under "architectures".
    architectures: ClassVar[frozenset[str]]
    #: The struct that `config.json` is read into.
    config_type: ClassVar[type[Config]]

    #: Ends a text; a padding token; None where the checkpoint names none.
    eos_id: int | None = None
    pad_id: int | None = None

    def __init__(self, config: Any, weights: Weights) -> None:
        self.config = config
        self.device: torch.device = weights.device
        self.dtype: torch.dtype = weights.dtype

    @classmethod
    def recognises(cls, values: Mapping[str, Any]) -> bool:
        """Whether a `config.json` is one of this family's."""
        return not cls.architectures.isdisjoint(values.get("architectures") or ())

    def places(
        self, token_ids: Tensor, attention_mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the position of each token, and which ones it may attend to.

        Args:
            token_ids: [batch, length] int64.
            attention_mask: [batch, length], 0 at padding; None for no padding.

        Returns:
            [batch, length] int64, in which no padding is counted, and [batch, length, length] bool,
            or None where every token may attend to all.
        """
        if attention_mask is None:
            return torch.arange(token_ids.shape[1], device=self.device).expand_as(token_ids), None
        real = attention_mask.to(self.device).bool()
        positions = (real.long().cumsum(dim=1) - 1).clamp_min(0)
        return positions, real[:, None, :].expand(-1, token_ids.shape[1], -1)

    @classmethod
    def small(cls, size: SmallSize, mask_id: int, end_id: int) -> dict[str, Any]:
        """Return the `config.json` of a small model of this family.

        Args:
            size: of the model.
            mask_id: the mask.
            end_id: ends a text, and pads one.

        Raises:
            UnsupportedPairing: none is trained here.
        """
        del size, mask_id, end_id
        raise UnsupportedPairing(f"no small model of the {cls.name!r} family is trained here")

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Predict every position of several canvases in one forward, without a cache.

        Args:
            token_ids: [batch, length] int64, padded where canvases differ in length.
            attention_mask: [batch, length], 0 at padding; None for no padding.
            noise_level: [batch] float, for families conditioned on it.

        Returns:
            [batch, length, vocab] float32, rows as `predict` gives them; those at padding mean
            nothing.

        Raises:
            UnsupportedPairing: the family answers one canvas at a time.
        """
        del token_ids, attention_mask, noise_level
        raise UnsupportedPairing(f"the {self.name!r} family answers one canvas at a time")

    def predict_between(
        self,
        context: list[int],
        regions: Sequence[Region],
        behind: Sequence[int],
        cache: Cache,
        check: Callable[[], None] = lambda: None,
    ) -> list[Tensor]:
        """By a forward for each; see `Denoiser.predict_between`."""
        found = []
        for region in regions:
            check()
            token_ids = torch.tensor([*context, *region.token_ids, *behind])
            given = torch.ones_like(token_ids, dtype=torch.bool)
            given[len(context) : len(context) + len(region.token_ids)] = False
            positions = len(context) + torch.tensor(region.places, dtype=torch.long)
            canvas = Canvas(token_ids, given, self.mask_id)
            found.append(self.predict(canvas, Query(positions), cache).rows.cpu())
        return found

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
        """By a few masked evaluations; see `Denoiser.judge_several` and `likelihood`."""
        if not self.judges:
            return super().judge_several(context, texts, cache, n_best, check, behind=behind)
        return judge_several(self, context, texts, behind, cache, n_best, check)

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
        """By a few masked evaluations; see `Denoiser.judge_each` and `likelihood`."""
        if not self.judges:
            return super().judge_each(context, text, cache, n_best, check, behind=behind)
        return judge_each(self, context, text, behind, cache, n_best, check)

    def count(self, cache: Cache, n_rows: int) -> None:
        """Note a forward of so many rows."""
        cache.n_forwards += 1
        cache.n_rows += n_rows

    def check_length(self, canvas: Canvas) -> None:
        """Refuse a canvas that the model has no positions for.

        Raises:
            CanvasTooLong: see above.
        """
        if canvas.length > self.max_length:
            raise CanvasTooLong(
                f"the canvas has {canvas.length} tokens, the model takes {self.max_length}"
            )
