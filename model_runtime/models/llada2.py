"""LLaDA2.0 and 2.1: block diffusion on a mixture of experts, predicting in place.

Bie et al. 2025, arXiv 2512.15745. Rows see their own block and the blocks before it; heads turn in
part; experts are chosen within groups, beside one that all rows share. The versions share the
forward: what tells them apart (editing) is a sampler's. LLaDA2.2 chooses 48 experts for each block
first (`expert_capacity`); that is not here, and it is refused by that key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from model_runtime.models.parts.config import PACKAGING, Config, check_shared
from model_runtime.models.parts.experts import GroupedRouter, Mixture, load_experts
from model_runtime.models.parts.masked import BLOCK_CAUSAL_CACHES, MaskedTransformer
from model_runtime.models.parts.published import PublishedConfig
from model_runtime.models.parts.transformer import (
    GatedMlp,
    Layer,
    Shape,
    Transformer,
    load_ends,
    load_gated_mlp,
    load_head_norms,
)

if TYPE_CHECKING:
    from model_runtime.models.parts.checkpoint import Weights


class Llada2Config(PublishedConfig, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    intermediate_size: int
    moe_intermediate_size: int
    num_experts: int
    num_experts_per_tok: int
    n_group: int
    topk_group: int
    routed_scaling_factor: float
    first_k_dense_replace: int = 0
    #: Experts that all rows go through, as one wide MLP; null is none.
    num_shared_experts: int | None = 0
    partial_rotary_factor: float = 0.5
    use_qk_norm: bool = True
    use_qkv_bias: bool = False
    use_bias: bool = False
    #: LLaDA2.0's and 2.1's published one is 32, which their configuration does not say.
    block_length: int = 32
    #: LLaDA2.2's tokens that take a position away and make room for one.
    delete_token_id: int | None = None
    split_token_id: int | None = None

    inert: ClassVar[frozenset[str]] = PACKAGING | {
        "moe_router_enable_expert_bias", "norm_topk_prob", "num_nextn_predict_layers", "rotary_dim",
    }  # fmt: skip
    only: ClassVar[dict[str, object]] = {
        **PublishedConfig.only,
        "expert_capacity": None,
        "norm_head": False,
        "norm_softmax": False,
        "router_dtype": "fp32",
        "score_function": "sigmoid",
        "use_rmsnorm": True,
        "using_split_qkv_in_self_attention": False,
    }


class Llada2(MaskedTransformer):
    """A block-causal transformer with experts."""

    name: ClassVar[str] = "llada2"
    architectures: ClassVar[frozenset[str]] = frozenset({"LLaDA2MoeModelLM"})
    config_type: ClassVar[type[Config]] = Llada2Config
    caches: ClassVar[frozenset[str]] = BLOCK_CAUSAL_CACHES
    sees: ClassVar[Literal["file", "blocks", "left"]] = "blocks"

    def __init__(self, config: Llada2Config, weights: Weights) -> None:
        super().__init__(config, weights)
        shape = config.shape(
            config.intermediate_size,
            qkv_bias=config.use_qkv_bias,
            out_bias=config.use_bias,
            head_norms=config.use_qk_norm,
        )
        self.stack = _load_stack(weights, shape, config)
        self.block_length = config.block_length
        self.mask_id = config.mask_token_id
        self.eos_id, self.pad_id = config.eos_id, config.pad_token_id
        self.delete_id, self.split_id = config.delete_token_id, config.split_token_id
        self.vocab_size = config.vocab_size
        self.max_length = config.max_position_embeddings


def _load_stack(weights: Weights, shape: Shape, config: Llada2Config) -> Transformer:
    width = shape.width
    size, n_key = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    embedding, head = load_ends(weights, shape, "model.word_embeddings.weight", "lm_head")
    layers = []
    for index in range(shape.n_layers):
        name = f"model.layers.{index}"
        attention = f"{name}.attention"
        head_norms = (
            f"{attention}.query_layernorm.weight",
            f"{attention}.key_layernorm.weight",
        )
        dense = index < config.first_k_dense_replace
        layers.append(
            Layer(
                weights.tensor(f"{name}.input_layernorm.weight", width),
                weights.linear(
                    f"{attention}.query_key_value", width, size + 2 * n_key, bias=shape.qkv_bias
                ),
                *load_head_norms(weights, shape, *head_norms),
                weights.linear(f"{attention}.dense", size, width, bias=shape.out_bias),
                weights.tensor(f"{name}.post_attention_layernorm.weight", width),
                load_gated_mlp(weights, f"{name}.mlp", width, shape.mlp_width)
                if dense
                else _load_mixture(weights, f"{name}.mlp", config),
            )
        )
    weights.inert("rotary_emb.inv_freq")
    final_norm = weights.tensor("model.norm.weight", width)
    return Transformer(shape, embedding, layers, final_norm, head)


def _load_mixture(weights: Weights, name: str, config: Llada2Config) -> Mixture:
    width, mlp_width, n_experts = (
        config.hidden_size,
        config.moe_intermediate_size,
        config.num_experts,
    )
    check_shared(n_experts, config.n_group, "num_experts and n_group")
    router = GroupedRouter(
        weights.tensor(f"{name}.gate.weight", n_experts, width, dtype=torch.float32),
        weights.tensor(f"{name}.gate.expert_bias", n_experts, dtype=torch.float32),
        config.num_experts_per_tok,
        config.n_group,
        config.topk_group,
        normalised=config.num_experts_per_tok > 1,
        scale=config.routed_scaling_factor,
    )
    shared: GatedMlp | None = None
    if config.num_shared_experts:
        shared_width = mlp_width * config.num_shared_experts
        shared = load_gated_mlp(weights, f"{name}.shared_experts", width, shared_width)
    return Mixture(router, load_experts(weights, name, n_experts, width, mlp_width), shared)
