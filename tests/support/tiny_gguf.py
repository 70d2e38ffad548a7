"""The default model's file in small: a Qwen2 GGUF of random weights."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import gguf
import numpy as np
from support.tiny_canvas import ALPHABET, CONTROL

from model_runtime.weights.catalog import NamedModel

if TYPE_CHECKING:
    from pathlib import Path

#: The format wants a merge, and so what it makes.
TOKENS = [*ALPHABET, "ab", *CONTROL]
WIDTH, MLP, N_HEADS, N_KV_HEADS = 32, 64, 4, 2


def write_gguf(path: Path) -> NamedModel:
    """Write the file; return the model as a catalog would have it, without sources."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(1)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_context_length(4096)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3 if token in CONTROL else 1 for token in TOKENS])
    writer.add_token_merges(["a b"])
    n_kv = WIDTH // N_HEADS * N_KV_HEADS
    shapes = {
        "token_embd.weight": (len(TOKENS), WIDTH),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (n_kv, WIDTH),
        "blk.0.attn_v.weight": (n_kv, WIDTH),
        "blk.0.attn_q.bias": (WIDTH,),
        "blk.0.attn_k.bias": (n_kv,),
        "blk.0.attn_v.bias": (n_kv,),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.ffn_gate.weight": (MLP, WIDTH),
        "blk.0.ffn_up.weight": (MLP, WIDTH),
        "blk.0.ffn_down.weight": (WIDTH, MLP),
        "output_norm.weight": (WIDTH,),
    }
    for name, shape in shapes.items():
        writer.add_tensor(name, rng.standard_normal(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return NamedModel("tiny", path.name, digest, len(data), "Apache-2.0", sources=())
