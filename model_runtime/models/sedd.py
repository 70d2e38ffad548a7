"""SEDD: score entropy, the theory that Mercury Coder is published under.

Lou et al. 2023, arXiv 2310.16834. The model puts out the logarithm of the concrete score, the ratio
p_t(y) / p_t(x) of changing one position to y, given the noise level. For absorbing noise the
published output lacks a factor that is known in advance; it is put back here, so that a prediction
is the log score itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query
from model_runtime.errors import UnsupportedPairing
from model_runtime.models.parts.config import Config
from model_runtime.models.parts.dit import Dit, DitShape
from model_runtime.models.parts.timed import TimedTransformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights


class GraphConfig(Config, frozen=True, kw_only=True):
    """The noise process."""

    type: Literal["absorb", "uniform"]

    inert: ClassVar[frozenset[str]] = frozenset({"file", "report_all"})


class StackConfig(Config, frozen=True, kw_only=True):
    """The transformer."""

    hidden_size: int
    cond_dim: int
    length: int
    n_blocks: int
    n_heads: int
    scale_by_sigma: bool

    inert: ClassVar[frozenset[str]] = frozenset({"dropout", "name", "score_strategy", "type"})


class SeddConfig(Config, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    #: Without the absorbing token.
    tokens: int
    graph: GraphConfig
    model: StackConfig

    inert: ClassVar[frozenset[str]] = frozenset(
        {
            "data", "eval", "hydra", "model_type", "ngpus", "noise", "optim", "sampling",
            "training", "work_dir",
        }
    )  # fmt: skip


class Sedd(TimedTransformer):
    """A score model with absorbing or uniform noise."""

    name: ClassVar[str] = "sedd"
    architectures: ClassVar[frozenset[str]] = frozenset({"SEDD"})
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"log_score"})
    config_type: ClassVar[type[Config]] = SeddConfig

    def __init__(self, config: SeddConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        self.absorbing = config.graph.type == "absorb"
        self.vocab_size = config.tokens + self.absorbing
        self.mask_id = config.tokens if self.absorbing else None
        self.max_length = config.model.length
        self._scaled = config.model.scale_by_sigma
        self.stack = Dit(
            weights,
            DitShape(
                n_blocks=config.model.n_blocks,
                width=config.model.hidden_size,
                n_heads=config.model.n_heads,
                cond_width=config.model.cond_dim,
                vocab_size=self.vocab_size,
            ),
        )

    @classmethod
    def recognises(cls, values: Mapping[str, Any]) -> bool:
        """Whether a configuration is SEDD's: it names no architecture, but a graph and tokens."""
        return super().recognises(values) or {"graph", "tokens"} <= set(values)

    @torch.no_grad()
    def log_score(self, output: Tensor, token_ids: Tensor, noise_level: Tensor) -> Tensor:
        """Complete the model's output [batch, length, vocab] (appendix C.2 of the paper).

        Args:
            output: of `forward`.
            token_ids: [batch, length] int64, what was fed; staying as it is has the ratio one.
            noise_level: [batch] float.
        """
        score = output
        if self._scaled:
            # At small levels exp(sigma) - 1 is lost in float32's rounding of exp.
            likely = noise_level.to(output.device).expm1().log()[:, None, None]
            score = score - likely - math.log(self.vocab_size - 1)
        own = token_ids.to(output.device)[..., None]
        return score.scatter(-1, own, torch.zeros_like(score[..., :1]))

    def predict_all(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        noise_level: Tensor | None = None,
    ) -> Tensor:
        """Predict whole canvases; see `Family.predict_all`.

        Raises:
            UnsupportedPairing: there is no noise level.
        """
        if noise_level is None:
            raise UnsupportedPairing(
                f"the {self.name!r} family needs a noise level, which this sampler does not give"
            )
        output = self.forward(token_ids, noise_level, attention_mask)
        return self.log_score(output, token_ids, noise_level)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the whole canvas at the query's noise level; see `Denoiser`.

        Raises:
            UnsupportedPairing: the sampler gives no noise level.
        """
        self.check_length(canvas)
        self.count(cache, canvas.length)
        level = None if query.noise_level is None else torch.tensor([query.noise_level])
        rows = self.predict_all(canvas.token_ids[None], noise_level=level)
        rows = rows[0, query.positions.to(self.device)]
        return Prediction("log_score", rows.to(query.positions.device))
