"""Block diffusion: bidirectional within a block, causal between blocks.

SDAR (arXiv 2510.06303; Qwen3, dense and with experts), DreamReasoner (arXiv 2606.19257; Qwen3) and
Stable-DiffCoder (arXiv 2601.15892; Llama) predict in place; Fast-dLLM v2 (arXiv 2509.26328; Qwen2)
keeps the shift of its causal base. Blocks are counted from the start of the canvas. What stands
behind a block is invisible to it.

The A2D models of dllm are of this family where their configuration has a `block_size`. Those whose
names say bd3lm were trained in blocks of 32 and don't say so in it: it is to be added there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.experts import Mixture, SoftmaxRouter, load_experts
from model_runtime.models.parts.masked import BLOCK_CAUSAL_CACHES, MaskedTransformer
from model_runtime.models.parts.published import PublishedConfig
from model_runtime.models.parts.transformer import load_transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_runtime.models.parts.checkpoint import Weights


class _Variant(NamedTuple):
    """What an architecture's code fixes without telling in the configuration."""

    head_norms: bool
    qkv_bias: bool
    shifted: bool
    #: None where the configuration tells.
    block_length: int | None


_VARIANTS = {
    "A2DQwen2LMHeadModel": _Variant(
        head_norms=False, qkv_bias=True, shifted=False, block_length=None
    ),
    "A2DQwen3LMHeadModel": _Variant(
        head_norms=True, qkv_bias=False, shifted=False, block_length=None
    ),
    "DreamForCausalLM": _Variant(head_norms=True, qkv_bias=False, shifted=False, block_length=32),
    "SDARForCausalLM": _Variant(head_norms=True, qkv_bias=False, shifted=False, block_length=4),
    "SDARMoeForCausalLM": _Variant(head_norms=True, qkv_bias=False, shifted=False, block_length=4),
    "Fast_dLLM_QwenForCausalLM": _Variant(
        head_norms=False, qkv_bias=True, shifted=True, block_length=32
    ),
    "StableDiffcoderForCausalLM": _Variant(
        head_norms=False, qkv_bias=False, shifted=False, block_length=4
    ),
}


class SdarConfig(PublishedConfig, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    architectures: list[str]
    intermediate_size: int
    #: None: what the architecture has. In SDAR's code it covers the output projection, too.
    attention_bias: bool | None = None
    #: SDAR's and Fast-dLLM v2's names for the block length.
    block_size: int | None = None
    bd_size: int | None = None
    #: Of the experts, in SDAR-MoE.
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    norm_topk_prob: bool = False

    inert: ClassVar[frozenset[str]] = PACKAGING | {
        "debug", "ep_size", "fuse_cross_entropy", "layer_types", "micro_forward", "resid_pdrop",
        "skip_checkpoint", "use_deepep",
    }  # fmt: skip
    only: ClassVar[dict[str, object]] = {
        **PublishedConfig.only,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    }


class Sdar(MaskedTransformer):
    """A block-causal transformer."""

    name: ClassVar[str] = "sdar"
    architectures: ClassVar[frozenset[str]] = frozenset(_VARIANTS)
    config_type: ClassVar[type[Config]] = SdarConfig
    caches: ClassVar[frozenset[str]] = BLOCK_CAUSAL_CACHES
    sees: ClassVar[Literal["file", "blocks", "left"]] = "blocks"

    @classmethod
    def recognises(cls, values: Mapping[str, Any]) -> bool:
        """See `Family`; an architecture that tells of no blocks is of those that see the file."""
        found = [_VARIANTS[name] for name in values.get("architectures") or () if name in _VARIANTS]
        return any(variant.block_length or values.get("block_size") for variant in found)

    def __init__(self, config: SdarConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        variant = next(_VARIANTS[name] for name in config.architectures if name in _VARIANTS)
        bias = config.attention_bias
        shape = config.shape(
            config.intermediate_size,
            qkv_bias=variant.qkv_bias if bias is None else bias,
            out_bias=bool(bias),
            head_norms=variant.head_norms,
        )

        def load_mixture(weights: Weights, name: str, _: int) -> Mixture:
            width, mlp_width = config.hidden_size, config.moe_intermediate_size
            gate = weights.tensor(f"{name}.gate.weight", config.num_experts, width)
            return Mixture(
                SoftmaxRouter(gate, config.num_experts_per_tok, config.norm_topk_prob),
                load_experts(weights, name, config.num_experts, width, mlp_width),
            )

        self.stack = load_transformer(weights, shape, load_mixture if config.num_experts else None)
        self.shifted = variant.shifted
        self.block_length = config.block_size or config.bd_size or variant.block_length
        self.mask_id = config.mask_token_id
        self.eos_id, self.pad_id = config.eos_id, config.pad_token_id
        self.vocab_size = config.vocab_size
        self.max_length = config.max_position_embeddings
