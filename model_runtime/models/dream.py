"""Dream and what is shaped like it: a causal model turned bidirectional.

Ye et al. 2025, arXiv 2508.15487 (Dream, Dream-Coder), DreamOn, DiffuCoder (arXiv 2506.20639),
Open-dCoder: Qwen2; CoDA (arXiv 2510.03270): Qwen3, with head norms. Attention sees the whole
canvas; output row i is about position i + 1, as in the causal model each was trained from. The A2D
models of dllm (Zhou et al. 2026, github.com/ZHZisZZ/dllm) gave the shift up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.masked import MaskedTransformer
from model_runtime.models.parts.published import PublishedConfig
from model_runtime.models.parts.transformer import load_transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_runtime.models.parts.checkpoint import Weights
    from model_runtime.models.parts.family import SmallSize


class _Variant(NamedTuple):
    """What an architecture's code fixes without telling in the configuration."""

    is_qwen3: bool = False
    shifted: bool = True


_VARIANTS = {
    "A2DQwen2LMHeadModel": _Variant(shifted=False),
    "A2DQwen3LMHeadModel": _Variant(is_qwen3=True, shifted=False),
    "CoDALanguageModel": _Variant(is_qwen3=True),
    "DreamModel": _Variant(),
    "DreamOnModel": _Variant(),
    "Qwen2ForCausalLM": _Variant(),
}


class DreamConfig(PublishedConfig, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    architectures: list[str]
    intermediate_size: int
    #: None: what the architecture has (Qwen2: yes, A2D's Qwen3: no).
    attention_bias: bool | None = None
    #: DreamOn's tokens that make room and take it away.
    expand_token_id: int | None = None
    delete_token_id: int | None = None

    inert: ClassVar[frozenset[str]] = PACKAGING | {
        "attention_kernel", "block_masking_probability", "full_attn_mask", "layer_types",
        "mask_block_sizes", "prefix_probability", "sampling_eps", "truncate_probability",
    }  # fmt: skip


class Dream(MaskedTransformer):
    """A bidirectional transformer."""

    name: ClassVar[str] = "dream"
    architectures: ClassVar[frozenset[str]] = frozenset(_VARIANTS)
    config_type: ClassVar[type[Config]] = DreamConfig

    @classmethod
    def recognises(cls, values: Mapping[str, Any]) -> bool:
        """See `Family`; with blocks it is of those that read block by block."""
        return super().recognises(values) and not values.get("block_size")

    @classmethod
    def small(cls, size: SmallSize, mask_id: int, end_id: int) -> dict[str, Any]:
        """See `Family.small`."""
        return {
            "architectures": ["DreamModel"], "model_type": "Dream", "rms_norm_eps": 1e-6,
            "hidden_size": size.width, "intermediate_size": 2 * size.width,
            "num_hidden_layers": size.n_layers, "num_attention_heads": size.n_heads,
            "max_position_embeddings": size.max_length, "vocab_size": size.n_tokens,
            "tie_word_embeddings": True, "mask_token_id": mask_id, "eos_token_id": end_id,
            "pad_token_id": end_id,
        }  # fmt: skip

    def __init__(self, config: DreamConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        variant = next(_VARIANTS[name] for name in config.architectures if name in _VARIANTS)
        is_qwen3 = variant.is_qwen3
        bias = not is_qwen3 if config.attention_bias is None else config.attention_bias
        shape = config.shape(
            config.intermediate_size,
            qkv_bias=bias,
            out_bias=bias and is_qwen3,
            head_norms=is_qwen3,
        )
        self.stack = load_transformer(weights, shape)
        self.shifted = variant.shifted
        self.mask_id = config.mask_token_id
        self.eos_id, self.pad_id = config.eos_id, config.pad_token_id
        self.expand_id, self.delete_id = config.expand_token_id, config.delete_token_id
        self.vocab_size = config.vocab_size
        self.max_length = config.max_position_embeddings
