"""The configuration keys that Llama, Qwen2, Qwen3 and what was made of them share."""

from __future__ import annotations

from typing import Any, ClassVar

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.parts.config import Config
from model_runtime.models.parts.transformer import Shape

#: What Qwen's and Llama's own code assume where a configuration says nothing.
_DEFAULT_ROPE_BASE = 10_000.0


class PublishedConfig(Config, frozen=True, kw_only=True):
    """Sizes and special tokens under their published names."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    rms_norm_eps: float
    max_position_embeddings: int
    mask_token_id: int
    #: None: as many as query heads.
    num_key_value_heads: int | None = None
    #: None: hidden_size / num_attention_heads.
    head_dim: int | None = None
    rope_theta: float | None = None
    #: Where newer configurations keep the rotary base.
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: float = 1.0
    tie_word_embeddings: bool = False
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    only: ClassVar[dict[str, object]] = {
        "hidden_act": "silu",
        "layer_norm_eps": None,
        "mlp_bias": False,
        "pretraining_tp": 1,
        "rope_scaling": None,
        "use_mrope": False,
        "use_sliding_window": False,
    }

    @property
    def eos_id(self) -> int | None:
        """The first end-of-text token."""
        ids = self.eos_token_id
        return ids[0] if isinstance(ids, list) else ids

    def shape(
        self,
        mlp_width: int,
        *,
        qkv_bias: bool = False,
        out_bias: bool = False,
        head_norms: bool = False,
    ) -> Shape:
        """Return the stack's shape."""
        head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        return Shape(
            n_layers=self.num_hidden_layers,
            width=self.hidden_size,
            n_heads=self.num_attention_heads,
            n_kv_heads=self.num_key_value_heads or self.num_attention_heads,
            head_dim=head_dim,
            mlp_width=mlp_width,
            vocab_size=self.vocab_size,
            rope_base=self._rope_base(),
            norm_eps=self.rms_norm_eps,
            rotary_dim=int(head_dim * self.partial_rotary_factor),
            qkv_bias=qkv_bias,
            out_bias=out_bias,
            head_norms=head_norms,
            tied=self.tie_word_embeddings,
        )

    def _rope_base(self) -> float:
        """Return theta.

        Raises:
            ModelLoadFailed: the rotary positions are stretched in a way unknown here.
        """
        parameters = self.rope_parameters or {}
        extra = parameters.keys() - {"rope_theta", "rope_type"}
        if extra or parameters.get("rope_type", "default") != "default":
            raise ModelLoadFailed(
                f"config.json: rope_parameters = {parameters} is not supported, "
                "only rope_type 'default' with a rope_theta is"
            )
        return float(parameters.get("rope_theta") or self.rope_theta or _DEFAULT_ROPE_BASE)
