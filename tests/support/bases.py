"""Base models in small, as their authors publish them: shape, tokenizer, marks; random weights.

Each is written as a folder of safetensors by transformers itself, and as a GGUF file under
llama.cpp's names and in its order of rows.
"""

from __future__ import annotations

# The marks of some bases have a wide bar.
# ruff: noqa: RUF001
import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import torch
import transformers
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

#: What tokenizers are trained on, and what has to be cut up the same way.
CODE = Path(functools.__file__).read_text(encoding="utf-8")
SAMPLE = (
    "def größe(x1, y22):\n\tif x1 >= 3.1415 and not y22:\r\n        return 'it''s'  # 测试 👋\n\n"
)
N_VOCAB = 600


@dataclass(frozen=True)
class Published:
    """What a base is published with."""

    kind: str
    #: GGUF's name of the way text is split.
    words: str
    #: The prompt, with PREFIX and SUFFIX in it, as the base's page or paper shows it.
    prompt: str
    control: tuple[str, ...]
    end: str
    config: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    name: str = "a base"
    #: How a file is named before it.
    file: str = "# {path}\n"


_QWEN_MARKS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
)  # fmt: skip
_STARCODER_MARKS = (
    "<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>",
    "<gh_stars>", "<reponame>",
)  # fmt: skip
_QWEN_PROMPT = "<|fim_prefix|>PREFIX<|fim_suffix|>SUFFIX<|fim_middle|>"

BASES = {
    "qwen2.5-coder": Published(
        "qwen2", "qwen2", _QWEN_PROMPT, _QWEN_MARKS, "<|endoftext|>",
        {"rope_theta": 1e6, "tie_word_embeddings": True}, file="<|file_sep|>{path}\n",
    ),
    "qwen3": Published(
        "qwen3", "qwen2", _QWEN_PROMPT, _QWEN_MARKS, "<|endoftext|>",
        {"rope_theta": 1e6, "head_dim": 32}, file="<|file_sep|>{path}\n",
    ),
    "deepseek-coder": Published(
        "llama", "deepseek-coder", "<｜fim▁begin｜>PREFIX<｜fim▁hole｜>SUFFIX<｜fim▁end｜>",
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<pad>", "<|EOT|>",
         "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>"),
        "<｜end▁of▁sentence｜>",
        {"rope_theta": 1e5, "rope_scaling": {"type": "linear", "factor": 4.0},
         "num_key_value_heads": 4},
        start="<｜begin▁of▁sentence｜>",
    ),
    "seed-coder": Published(
        "llama", "seed-coder", "<[fim-suffix]>SUFFIX<[fim-prefix]>PREFIX<[fim-middle]>",
        ("<[begin▁of▁sentence]>", "<[end▁of▁sentence]>", "<[PAD▁TOKEN]>", "<[fim-prefix]>",
         "<[fim-suffix]>", "<[fim-middle]>"),
        "<[end▁of▁sentence]>", {"rope_theta": 5e5, "num_key_value_heads": 1},
        start="<[begin▁of▁sentence]>",
    ),
    "mellum": Published(
        "llama", "mellum", "<fim_suffix>SUFFIX<fim_prefix>PREFIX<fim_middle>", _STARCODER_MARKS,
        "<|endoftext|>", {"rope_theta": 5e5}, name="Mellum 4b Base", file="<filename>{path}\n",
    ),
    "granite-code": Published(
        "llama", "refact", "<fim_prefix>PREFIX<fim_suffix>SUFFIX<fim_middle>", _STARCODER_MARKS,
        "<|endoftext|>",
        {"rope_theta": 1e7, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
        file="<filename>{path}\n",
    ),
    "llama-3.1": Published(
        "llama", "llama-bpe", "<fim_prefix>PREFIX<fim_suffix>SUFFIX<fim_middle>",
        _STARCODER_MARKS, "<|endoftext|>",
        {"rope_theta": 5e5, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64}},
        file="<filename>{path}\n",
    ),
}  # fmt: skip
#: By name: transformers imports a model's classes when they are first asked for.
_CLASSES = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def _published_words(words: str) -> pre_tokenizers.PreTokenizer:
    """Return the pre-tokenizer as the model's own `tokenizer.json` has it."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    blanks = r"\s*[\r\n]+|\s+(?!\S)|\s+"
    said = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
    rows = {
        "qwen2": [_split(rf"{said}\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{blanks}"), level],
        "llama-bpe": [
            _split(rf"{said}\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{blanks}"), level,
        ],
        "seed-coder": [_split(rf"{said}\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{blanks}"), level],
        "deepseek-coder": [
            _split("[\r\n]"), _split(r"\s?\p{L}+"), _split(r"\s?\p{P}+"),
            _split("[一-龥ࠀ-一가-퟿]+"),
            pre_tokenizers.Digits(individual_digits=True), level,
        ],
        "refact": [pre_tokenizers.Digits(individual_digits=True), own],
        "mellum": [own],
    }  # fmt: skip
    return pre_tokenizers.Sequence(rows[words])


@functools.cache
def tokenizer_of(base: str) -> Tokenizer:
    """Return the base's tokenizer as published, with pairs learnt from `CODE`."""
    published = BASES[base]
    made = Tokenizer(models.BPE(ignore_merges=published.words == "llama-bpe"))
    made.pre_tokenizer = _published_words(published.words)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_VOCAB - len(published.control),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator([CODE], trainer)
    made.add_special_tokens(list(published.control))
    made.normalizer = normalizers.NFC()
    if published.start:
        start = (published.start, made.token_to_id(published.start))
        made.post_processor = processors.TemplateProcessing(
            single=f"{published.start} $A", special_tokens=[start]
        )
    return made


def model_of(base: str, **changes: Any) -> Any:
    """Return transformers' model of a base in small, its weights random."""
    published = BASES[base]
    name = _CLASSES[published.kind]
    config_class = getattr(transformers, f"{name}Config")
    model_class = getattr(transformers, f"{name}ForCausalLM")
    values = {
        "vocab_size": N_VOCAB, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "initializer_range": 0.2,
        "eos_token_id": tokenizer_of(base).token_to_id(published.end),
        **published.config, **changes,
    }  # fmt: skip
    torch.manual_seed(0)
    model = model_class(config_class(**values)).eval()
    for name, tensor in model.named_parameters():
        if name.endswith("bias") or "norm" in name:
            tensor.data += 0.1 * torch.randn_like(tensor)
    return model


def write_folder(base: str, folder: Path, model: Any = None) -> Path:
    """Write a base as transformers saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (model or model_of(base)).save_pretrained(folder)
    tokenizer_of(base).save(str(folder / "tokenizer.json"))
    return folder


def write_base_gguf(
    base: str,
    path: Path,
    model: Any = None,
    *,
    has_marks: bool = True,
    replaced: Mapping[str, float | str] | None = None,
    **fields: Any,
) -> Path:
    """Write a base as llama.cpp's converter does, in 32 bits.

    Args:
        base: of `BASES`.
        path: the file.
        model: of `model_of`.
        has_marks: whether the vocabulary has marks for a gap.
        replaced: metadata that is another than the model's, by key.
        fields: metadata to add, by key.
    """
    published, model = BASES[base], model or model_of(base)
    config, kind = model.config, published.kind
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer = gguf.GGUFWriter(path, kind)
    writer.add_name(published.name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(published.config["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_context_length(config.max_position_embeddings)
    scaling = published.config.get("rope_scaling", {})
    if scaling.get("type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    _write_tokenizer(writer, published, tokenizer_of(base), has_marks=has_marks)
    for key, value in fields.items():
        writer.add_uint32(key, value)
    for key, value in (replaced or {}).items():
        kinds = {str: gguf.GGUFValueType.STRING, float: gguf.GGUFValueType.FLOAT32}
        of_type = kinds.get(type(value), gguf.GGUFValueType.UINT32)
        writer.kv_data[0][key] = gguf.GGUFValue(value, of_type)
    heads = {"q": config.num_attention_heads, "k": config.num_key_value_heads}
    for name, tensor in _named(model):
        for part, n_heads in heads.items():
            if kind == "llama" and f"attn_{part}." in name:
                pairs = tensor.reshape(n_heads, 2, head_dim // 2, *tensor.shape[1:])
                paired = pairs.swapaxes(1, 2).reshape(tensor.shape)
                break
        else:
            paired = tensor
        writer.add_tensor(name, paired.numpy())
    if scaling.get("rope_type") == "llama3":
        turned = model.model.rotary_emb.inv_freq.numpy()
        plain = 1.0 / 5e5 ** (np.arange(0, head_dim, 2) / head_dim)
        writer.add_tensor("rope_freqs.weight", (plain / turned).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_tokenizer(
    writer: gguf.GGUFWriter, published: Published, tokenizer: Tokenizer, *, has_marks: bool
) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.get)
    if not has_marks:
        tokens = [token.replace("fim", "gap") for token in tokens]
    control = {token if has_marks else token.replace("fim", "gap") for token in published.control}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(published.words)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in control else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(ids[published.end])
    if published.start:
        writer.add_bos_token_id(ids[published.start])
        writer.add_add_bos_token(value=True)


def _named(model: Any) -> list[tuple[str, Tensor]]:
    """Return tensors under GGUF's names."""
    names = {
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    found = []
    for name, tensor in model.named_parameters():
        place, kind = name.rsplit(".", 1)
        if place.startswith("model.layers."):
            _, _, index, part = place.split(".", 3)
            found.append((f"blk.{index}.{names[part]}.{kind}", tensor.detach().float()))
        else:
            found.append((f"{names[place]}.{kind}", tensor.detach().float()))
    return found
