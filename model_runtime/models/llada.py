"""LLaDA: a Llama-shaped transformer that sees the whole canvas and predicts in place.

Nie et al. 2025, arXiv 2502.09992; LLaDA-8B, LLaDA-1.5, iLLaDA. Trained from scratch as a masked
diffusion model, so output row i is about position i. The tensor names are OLMo's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.masked import MaskedTransformer
from model_runtime.models.parts.transformer import (
    GatedMlp,
    Layer,
    Shape,
    Transformer,
    load_ends,
)

if TYPE_CHECKING:
    from model_runtime.models.parts.checkpoint import Weights
    from model_runtime.models.parts.family import SmallSize


class LladaConfig(Config, frozen=True, kw_only=True):
    """What is read of the published configuration."""

    d_model: int
    n_heads: int
    n_layers: int
    vocab_size: int
    mask_token_id: int
    max_sequence_length: int
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    #: None: as many as heads.
    n_kv_heads: int | None = None
    #: Rows of the embedding and the head; None: vocab_size.
    embedding_size: int | None = None
    #: None: mlp_ratio * d_model.
    mlp_hidden_size: int | None = None
    mlp_ratio: int = 4
    include_qkv_bias: bool = False
    weight_tying: bool = False
    eos_token_id: int | None = None
    pad_token_id: int | None = None

    inert: ClassVar[frozenset[str]] = PACKAGING | {
        "alibi_bias_max", "attention_layer_norm_with_affine", "flash_attention",
        "init_cutoff_factor", "init_device", "init_fn", "init_std", "precision",
        "residual_dropout", "rope_full_precision",
    }  # fmt: skip
    only: ClassVar[dict[str, object]] = {
        "activation_type": "silu",
        "alibi": False,
        "attention_layer_norm": False,
        "bias_for_layer_norm": False,
        "block_group_size": 1,
        "block_type": "llama",
        "include_bias": False,
        "input_emb_norm": False,
        "layer_norm_type": "rms",
        "layer_norm_with_affine": True,
        "multi_query_attention": None,
        "rope": True,
        "scale_logits": False,
    }


class Llada(MaskedTransformer):
    """LLaDA with dense MLPs."""

    name: ClassVar[str] = "llada"
    architectures: ClassVar[frozenset[str]] = frozenset({"LLaDAModelLM", "ILLaDAModelLM"})
    config_type: ClassVar[type[Config]] = LladaConfig

    @classmethod
    def small(cls, size: SmallSize, mask_id: int, end_id: int) -> dict[str, Any]:
        """See `Family.small`."""
        return {
            "architectures": ["LLaDAModelLM"], "model_type": "llada", "block_type": "llama",
            "d_model": size.width, "n_layers": size.n_layers, "n_heads": size.n_heads,
            "mlp_hidden_size": 2 * size.width, "max_sequence_length": size.max_length,
            "vocab_size": size.n_tokens, "weight_tying": True, "mask_token_id": mask_id,
            "eos_token_id": end_id, "pad_token_id": end_id,
        }  # fmt: skip

    def __init__(self, config: LladaConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        shape = Shape(
            n_layers=config.n_layers,
            width=config.d_model,
            n_heads=config.n_heads,
            n_kv_heads=config.n_kv_heads or config.n_heads,
            head_dim=config.d_model // config.n_heads,
            mlp_width=config.mlp_hidden_size or config.mlp_ratio * config.d_model,
            # All rows of the head can be predicted, also those beyond the vocabulary.
            vocab_size=config.embedding_size or config.vocab_size,
            rope_base=config.rope_theta,
            norm_eps=config.rms_norm_eps,
            rotary_dim=config.d_model // config.n_heads,
            qkv_bias=config.include_qkv_bias,
            tied=config.weight_tying,
        )
        self.stack = _load_stack(weights, shape)
        self.mask_id = config.mask_token_id
        self.eos_id, self.pad_id = config.eos_token_id, config.pad_token_id
        self.vocab_size = shape.vocab_size
        self.max_length = config.max_sequence_length


def _load_stack(weights: Weights, shape: Shape) -> Transformer:
    top, width, mlp = "model.transformer", shape.width, shape.mlp_width
    size, n_key = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    embedding, head = load_ends(weights, shape, f"{top}.wte.weight", f"{top}.ff_out")
    layers = []
    for index in range(shape.n_layers):
        name = f"{top}.blocks.{index}"
        projections = [f"{name}.{part}_proj" for part in "qkv"]
        layers.append(
            Layer(
                weights.tensor(f"{name}.attn_norm.weight", width),
                weights.linear(projections, width, size, n_key, n_key, bias=shape.qkv_bias),
                None,
                None,
                weights.linear(f"{name}.attn_out", size, width),
                weights.tensor(f"{name}.ff_norm.weight", width),
                GatedMlp(
                    weights.linear([f"{name}.ff_proj", f"{name}.up_proj"], width, mlp, mlp),
                    weights.linear(f"{name}.ff_out", mlp, width),
                ),
            )
        )
    weights.inert("rotary_emb.inv_freq")
    final_norm = weights.tensor(f"{top}.ln_f.weight", width)
    return Transformer(shape, embedding, layers, final_norm, head)
