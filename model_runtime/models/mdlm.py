"""MDLM: SEDD's transformer trained as a masked diffusion model.

Sahoo et al. 2024, arXiv 2406.07524. Under its parameterization (SUBS) a mask is never predicted
and a token that stands stays; both are applied here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query
from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.dit import Dit, DitShape
from model_runtime.models.parts.timed import TimedTransformer

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights

#: What MDLM has for the logarithm of zero.
_NEVER = -1e6
#: The largest share of masks with a finite noise level, by the published noise schedule.
_ALL_MASKED = 1 - 1e-3


class MdlmConfig(Config, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    vocab_size: int
    hidden_dim: int
    cond_dim: int
    n_blocks: int
    n_heads: int
    model_length: int
    #: Whether the model is told the noise level.
    time_conditioning: bool

    inert: ClassVar[frozenset[str]] = PACKAGING | {"dropout"}


class Mdlm(TimedTransformer):
    """A masked diffusion model."""

    name: ClassVar[str] = "mdlm"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    judges: ClassVar[bool] = True
    architectures: ClassVar[frozenset[str]] = frozenset({"MDLM"})
    config_type: ClassVar[type[Config]] = MdlmConfig

    mask_id: int

    def __init__(self, config: MdlmConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        shape = DitShape(
            n_blocks=config.n_blocks,
            width=config.hidden_dim,
            n_heads=config.n_heads,
            cond_width=config.cond_dim,
            vocab_size=config.vocab_size,
        )
        self.stack = Dit(weights, shape, "backbone.")
        self.vocab_size = config.vocab_size
        self.mask_id = config.vocab_size - 1
        self._mask = torch.tensor([self.mask_id], device=weights.device)
        self.max_length = config.model_length
        self.time_conditioning = config.time_conditioning

    @torch.no_grad()
    def forward(
        self, token_ids: Tensor, noise_level: Tensor, attention_mask: Tensor | None = None
    ) -> Tensor:
        """Evaluate whole canvases; the noise level counts only with time conditioning."""
        level = noise_level if self.time_conditioning else torch.zeros_like(noise_level)
        return super().forward(token_ids, level, attention_mask)

    @torch.no_grad()
    def log_p_x0(self, logits: Tensor, token_ids: Tensor) -> Tensor:
        """Turn logits into log p(clean token) [batch, length, vocab] (section 3.2.3, SUBS).

        Args:
            logits: of `forward`.
            token_ids: [batch, length] int64, what was fed.
        """
        token_ids = token_ids.to(logits.device)
        never = torch.zeros_like(logits[0, 0]).index_fill(0, self._mask, _NEVER)
        log_p = logits + never
        log_p = log_p - log_p.logsumexp(dim=-1, keepdim=True)
        stays = torch.full_like(log_p, _NEVER).scatter(-1, token_ids[..., None], 0.0)
        return torch.where((token_ids == self.mask_id)[..., None], log_p, stays)

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Predict whole canvases; see `Family.predict_all`."""
        if noise_level is None:
            noise_level = self._noise_level(token_ids)
        return self.log_p_x0(self.forward(token_ids, noise_level, attention_mask), token_ids)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the whole canvas; see `Denoiser`."""
        self.check_length(canvas)
        self.count(cache, canvas.length)
        level = None if query.noise_level is None else torch.tensor([query.noise_level])
        rows = self.predict_all(canvas.token_ids[None], noise_level=level)
        rows = rows[0, query.positions.to(self.device)]
        return Prediction("logits", rows.to(query.positions.device))

    def _noise_level(self, token_ids: Tensor) -> Tensor:
        """Return the level [batch] at which this share of a canvas would be masked.

        For samplers that know none. Padding counts as not masked.
        """
        share = (token_ids == self.mask_id).float().mean(dim=1)
        return -torch.log1p(-share.clamp_max(_ALL_MASKED))
