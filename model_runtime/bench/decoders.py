"""The ways to decode that are compared, all in the same engine with the same base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_runtime.engines.local import LocalEngine
from model_runtime.samplers.low_confidence import LowConfidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from model_runtime.decoding.canvas import Block
    from model_runtime.decoding.filling import Filling
    from model_runtime.protocol import InfillRequest
    from model_runtime.samplers.base import Sampler

#: Not in the registry: what the engine below takes for `HalfAsManySteps`.
HALF_AS_MANY_STEPS = "half as many steps"


#: What the others are compared with.
BASE = "one token at a time"
HYBRID = "hybrid"
#: Fields of each one's requests.
DECODERS: dict[str, dict[str, Any]] = {
    BASE: {"sampler": "hybrid", "params": {"n_drafts": 0, "n_repeated": 0}},
    HYBRID: {"sampler": "hybrid"},
    "low_confidence, threshold 0.9": {"sampler": "low_confidence", "params": {"threshold": 0.9}},
    "low_confidence, two tokens a step": {"sampler": HALF_AS_MANY_STEPS},
}


class HalfAsManySteps(LowConfidence):
    """LLaDA's rule with a fixed number of steps, one for two tokens.

    The engine lets a block have as many steps as it has tokens, which suits the rules that stop
    when they are sure; this one needs to be told.
    """

    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> Filling:
        """See `Sampler.begin`."""
        return super().begin(block, (n_steps + 1) // 2, rng)


class BenchEngine(LocalEngine):
    """The local engine, with one more way to decode."""

    def _sampler(
        self, request: InfillRequest, usual: str, params: Mapping[str, Any]
    ) -> Sampler[Any, Any]:
        if request.sampler == HALF_AS_MANY_STEPS:
            return HalfAsManySteps.from_mapping(request.params)
        return super()._sampler(request, usual, params)
