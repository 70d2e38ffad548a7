"""A base model in a folder as published: configuration, safetensors files, `tokenizer.json`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.gated import BaseConfig
from model_runtime.models.parts.config import CONFIG_FILE, read_json
from model_runtime.text.marks import Hints
from model_runtime.text.tokenizer import published
from model_runtime.weights.base import ROPE_FACTORS, BaseSource, known_architecture

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

TOKENIZER_FILE = "tokenizer.json"
_PLAIN = ("F16", "BF16", "F32", "F64")
_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class SafetensorsBase(BaseSource):
    """See the module.

    Args:
        folder: holds `config.json`, one or more safetensors files, and `tokenizer.json`.

    Raises:
        ModelLoadFailed: a file is missing or damaged, or it is another kind of model.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder
        self._values = read_json(folder / CONFIG_FILE)
        known_architecture(self.name, self._values.get("model_type"))
        paths = sorted(folder.glob("*.safetensors"))
        if not paths:
            raise ModelLoadFailed(f"{folder} has no safetensors files; download it again")
        self._file_of: dict[str, Any] = {}
        for path in paths:
            try:
                file = safe_open(path, framework="pt")
            except (OSError, SafetensorError) as error:
                raise ModelLoadFailed(
                    f"{path} is cut short or damaged ({error}); download it again"
                ) from error
            self._file_of.update(dict.fromkeys(file.keys(), file))
        try:
            self.config = self._read_config()
            if self.config.has_rope_factors:
                _llama3_factors(self._scaling(), self.config)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise ModelLoadFailed(
                f"{folder / CONFIG_FILE} says what makes no sense ({error}); download it again"
            ) from error

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """See `BaseSource.shape`."""
        if tensor == ROPE_FACTORS:
            return (self.config.head_dim // 2,) if self.config.has_rope_factors else None
        name = _published_name(tensor)
        if name not in self._file_of:
            return None
        found = self._file_of[name].get_slice(name)
        if found.get_dtype() not in _PLAIN:
            raise ModelLoadFailed(
                f"{self.name}: {name} is {found.get_dtype()}, which only a quantized checkpoint"
                f" has; take one in floating point ({', '.join(_PLAIN)}), or a GGUF file"
            )
        return tuple(found.get_shape())

    def rows(self, tensor: str, start: int, stop: int) -> Tensor:
        """See `BaseSource.rows`."""
        if tensor == ROPE_FACTORS:
            return _llama3_factors(self._scaling(), self.config)[start:stop]
        name = _published_name(tensor)
        try:
            rows: Tensor = self._file_of[name].get_slice(name)[start:stop]
        except SafetensorError as error:
            raise ModelLoadFailed(f"{self._folder}: {name} is damaged ({error})") from error
        return rows.float()

    def tokenizer(self) -> tuple[Tokenizer, Hints]:
        """See `BaseSource.tokenizer`."""
        path = self._folder / TOKENIZER_FILE
        try:
            made, start_ids = published(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ModelLoadFailed(f"{path} can't be read ({error}); download it again") from error
        except OSError as error:
            raise ModelLoadFailed(
                f"{self._folder} has no {TOKENIZER_FILE}, which text is read with"
            ) from error
        end = self._values.get("eos_token_id")
        return made, Hints(
            name=f"{self.name} {self._values.get('_name_or_path', '')}".strip(),
            end_id=end[0] if isinstance(end, list) else end,
            start_ids=tuple(start_ids),
        )

    def _read_config(self) -> BaseConfig:
        def value(key: str) -> Any:
            if self._values.get(key) is None:
                raise ModelLoadFailed(f"{self._folder / CONFIG_FILE} says no {key!r}")
            return self._values[key]

        if self._values.get("hidden_act", "silu") != "silu" or self._values.get(
            "use_sliding_window"
        ):
            raise ModelLoadFailed(
                f"{self.name} has another activation, or a sliding window, which is unknown here"
            )
        scaling = self._scaling()
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind not in ("default", "linear", "llama3"):
            raise ModelLoadFailed(
                f"{self.name} turns its heads in a way unknown here (rope scaling {kind!r})"
            )
        n_heads = value("num_attention_heads")
        theta = scaling.get("rope_theta") or self._values.get("rope_theta") or 10_000.0
        return BaseConfig(
            n_layers=value("num_hidden_layers"),
            width=value("hidden_size"),
            n_heads=n_heads,
            n_kv_heads=self._values.get("num_key_value_heads") or n_heads,
            head_dim=self._values.get("head_dim") or value("hidden_size") // max(n_heads, 1),
            mlp_width=value("intermediate_size"),
            rope_base=float(theta),
            norm_eps=float(value("rms_norm_eps")),
            vocab_size=value("vocab_size"),
            max_length=value("max_position_embeddings"),
            rope_scale=float(scaling["factor"]) if kind == "linear" else 1.0,
            head_norms=value("model_type") == "qwen3",
            has_rope_factors=kind == "llama3",
        )

    def _scaling(self) -> dict[str, Any]:
        """Return how positions are stretched: newer configurations keep it under another name."""
        for key in ("rope_parameters", "rope_scaling"):
            if isinstance(found := self._values.get(key), dict):
                return found
        return {}


def _published_name(tensor: str) -> str:
    """Return the published name of a tensor that GGUF calls so."""
    *place, part, kind = tensor.split(".")
    layer = f"model.layers.{place[1]}." if place else ""
    return f"{layer}{_NAMES[part]}.{kind}"


def _llama3_factors(scaling: dict[str, Any], config: BaseConfig) -> Tensor:
    """Return [head_dim / 2]: by what each frequency is divided (Llama 3.1's published rule)."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    wavelengths = 2 * math.pi * config.rope_base**exponents
    original = scaling["original_max_position_embeddings"]
    low, high, factor = (scaling[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    share = ((original / wavelengths - low) / (high - low)).clamp(0, 1)
    factors: Tensor = 1 / ((1 - share) / factor + share)
    return factors.float()
