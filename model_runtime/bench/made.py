"""Models made on the spot: random weights at real sizes, so that nothing has to be fetched.

What they say means nothing; what it costs is what the real ones cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import gguf
import numpy as np

from model_runtime.weights.gguf_file import GgufFile

if TYPE_CHECKING:
    from pathlib import Path


class Size(NamedTuple):
    """Shape of a Qwen2 base."""

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    mlp_width: int
    is_tied: bool


#: Qwen2.5-Coder's published shapes.
SIZES = {
    "0.5b": Size(24, 896, 14, 2, 4864, is_tied=True),
    "1.5b": Size(28, 1536, 12, 2, 8960, is_tied=True),
    "3b": Size(36, 2048, 16, 2, 11008, is_tied=True),
    "7b": Size(28, 3584, 28, 4, 18944, is_tied=False),
}
#: Bytes of a block of 32 weights in Q8_0: its scale in float16, and the weights.
_BLOCK, _BLOCK_BYTES = 32, 34
_VOCABULARY = ("tokens", "token_type", "merges")


def write_random_gguf(path: Path, size: Size, vocabulary_of: Path, seed: int = 0) -> None:
    """Write a Qwen2 base in Q8_0, tensor after tensor, with the tokens of another GGUF file."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(size.n_layers)
    writer.add_embedding_length(size.width)
    writer.add_feed_forward_length(size.mlp_width)
    writer.add_head_count(size.n_heads)
    writer.add_head_count_kv(size.n_kv_heads)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_context_length(32768)
    writer.add_tokenizer_pre("qwen2")
    fields = GgufFile(vocabulary_of).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{part}"] for part in _VOCABULARY)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    shapes = _shapes(size, len(tokens))
    for name, shape in shapes.items():
        n_bytes = _n_bytes(shape)
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) > 1 else None
        stored = (*shape[:-1], shape[-1] // _BLOCK * _BLOCK_BYTES) if kind else shape
        dtype = np.dtype(np.uint8 if kind else np.float32)
        writer.add_tensor_info(name, stored, dtype, n_bytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for shape in shapes.values():
        writer.write_tensor_data(_random(shape, rng))
    writer.close()


def _shapes(size: Size, n_vocab: int) -> dict[str, tuple[int, ...]]:
    n_key = size.width // size.n_heads * size.n_kv_heads
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (n_vocab, size.width)}
    for index in range(size.n_layers):
        maps = {
            "attn_q": (size.width, size.width),
            "attn_k": (n_key, size.width),
            "attn_v": (n_key, size.width),
            "attn_output": (size.width, size.width),
            "ffn_gate": (size.mlp_width, size.width),
            "ffn_up": (size.mlp_width, size.width),
            "ffn_down": (size.width, size.mlp_width),
        }
        shapes |= {f"blk.{index}.{part}.weight": shape for part, shape in maps.items()}
        shapes |= {f"blk.{index}.{part}.bias": maps[part][:1] for part in list(maps)[:3]}
        shapes |= {f"blk.{index}.{part}_norm.weight": (size.width,) for part in ("attn", "ffn")}
    shapes["output_norm.weight"] = (size.width,)
    if not size.is_tied:
        shapes["output.weight"] = (n_vocab, size.width)
    return shapes


def _n_bytes(shape: tuple[int, ...]) -> int:
    n = int(np.prod(shape))
    return n * 4 if len(shape) == 1 else n // _BLOCK * _BLOCK_BYTES


def _random(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return a tensor's bytes: vectors near one, weights that keep the size of what they map."""
    if len(shape) == 1:
        return 1 + 0.1 * rng.standard_normal(shape, dtype=np.float32)
    blocks = rng.integers(0, 256, (_n_bytes(shape) // _BLOCK_BYTES, _BLOCK_BYTES), dtype=np.uint8)
    # Random bytes spread by 74 about zero.
    scale = np.float16(1 / (74 * shape[-1] ** 0.5))
    blocks[:, :2] = np.frombuffer(scale.tobytes(), dtype=np.uint8)
    return blocks.reshape(*shape[:-1], -1)
