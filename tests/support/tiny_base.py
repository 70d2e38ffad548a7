"""A base model small enough to train on: random, with int8 weights like the real one's."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.gated import BaseConfig, GatedModel, Layer
from model_runtime.models.int8 import Int8Linear, quantize_int8
from model_runtime.models.layers import Embedding

CONFIG = BaseConfig(
    n_layers=2,
    width=32,
    n_heads=4,
    n_kv_heads=2,
    head_dim=8,
    mlp_width=64,
    rope_base=10_000.0,
    norm_eps=1e-6,
    vocab_size=48,
    max_length=256,
)
#: No text of the tests has it.
MASK_ID = 47


def tiny_denoiser(
    linear: type[Int8Linear] = Int8Linear, max_length: int = CONFIG.max_length
) -> tuple[CanvasDenoiser, Tensor, Tensor]:
    """Return a random base, and the int8 weight and scales of its head."""
    config = replace(CONFIG, max_length=max_length)
    rng = torch.Generator().manual_seed(0)

    def weight(n_out: int, n_in: int) -> tuple[Tensor, Tensor]:
        return quantize_int8(torch.randn(n_out, n_in, generator=rng) / n_in**0.5)

    width, n_qkv = CONFIG.width, (CONFIG.n_heads + 2 * CONFIG.n_kv_heads) * CONFIG.head_dim
    layers = [
        Layer(
            attention_norm=torch.ones(width),
            qkv=linear(*weight(n_qkv, width)),
            out=linear(*weight(width, CONFIG.n_heads * CONFIG.head_dim)),
            mlp_norm=torch.ones(width),
            gate_up=linear(*weight(2 * CONFIG.mlp_width, width)),
            down=linear(*weight(width, CONFIG.mlp_width)),
        )
        for _ in range(CONFIG.n_layers)
    ]
    embedding = Embedding(torch.randn(CONFIG.vocab_size, width, generator=rng))
    head = weight(CONFIG.vocab_size, width)
    model = GatedModel(config, embedding, layers, torch.ones(width), linear(*head))
    return CanvasDenoiser(model, MASK_ID, max_length), *head
