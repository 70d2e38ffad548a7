"""LLaDA-MoE: LLaDA's training on a mixture of experts, bidirectional, predicting in place.

Zhu et al. 2025, arXiv 2509.24389. Shaped like OLMoE: every block has experts behind a softmax
router, queries and keys are normalised head by head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.experts import Mixture, SoftmaxRouter, load_experts
from model_runtime.models.parts.masked import MaskedTransformer
from model_runtime.models.parts.published import PublishedConfig
from model_runtime.models.parts.transformer import GatedMlp, load_gated_mlp, load_transformer

if TYPE_CHECKING:
    from model_runtime.models.parts.checkpoint import Weights


class LladaMoeConfig(PublishedConfig, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    num_experts: int
    num_experts_per_tok: int
    expert_intermediate_size: int
    #: Of the MLP that takes the experts' place in blocks without them.
    dense_intermediate_size: int = 0
    #: One number a block: 0 for a dense one. None: experts everywhere.
    moe_layer_freq: list[int] | None = None
    norm_topk_prob: bool | None = None
    qk_layernorm: bool = False
    attention_bias: bool = False

    inert: ClassVar[frozenset[str]] = PACKAGING
    only: ClassVar[dict[str, object]] = {
        **PublishedConfig.only,
        "clip_qkv": None,
        "moe_router_enable_expert_bias": False,
        "moe_router_score_function": "softmax",
        "routed_scaling_factor": 1,
        "router_num_group": None,
        "router_topk_group": None,
        "shared_expert_intermediate_size": None,
    }


class LladaMoe(MaskedTransformer):
    """LLaDA with experts."""

    name: ClassVar[str] = "llada_moe"
    architectures: ClassVar[frozenset[str]] = frozenset({"LLaDAMoEModel", "LLaDAMoEModelLM"})
    config_type: ClassVar[type[Config]] = LladaMoeConfig

    def __init__(self, config: LladaMoeConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        width = config.hidden_size
        shape = config.shape(
            config.dense_intermediate_size,
            qkv_bias=config.attention_bias,
            out_bias=config.attention_bias,
            head_norms=config.qk_layernorm,
        )

        def load_mlp(weights: Weights, name: str, index: int) -> Mixture | GatedMlp:
            if config.moe_layer_freq is not None and not config.moe_layer_freq[index]:
                return load_gated_mlp(weights, name, width, config.dense_intermediate_size)
            gate = weights.tensor(f"{name}.gate.weight", config.num_experts, width)
            return Mixture(
                SoftmaxRouter(gate, config.num_experts_per_tok, bool(config.norm_topk_prob)),
                load_experts(
                    weights, name, config.num_experts, width, config.expert_intermediate_size
                ),
            )

        self.stack = load_transformer(weights, shape, load_mlp)
        self.mask_id = config.mask_token_id
        self.eos_id, self.pad_id = config.eos_id, config.pad_token_id
        self.vocab_size = config.vocab_size
        self.max_length = config.max_position_embeddings
