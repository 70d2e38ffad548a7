"""The embedded default model, with its real weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
import transformers
from support.default_model import default_model, gaps

from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.models.adapter import ADAPTED, Adapter, Link, LowRank
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.gated import BaseConfig, GatedModel, Layer
from model_runtime.models.layers import DenseLinear, Embedding
from model_runtime.samplers.hybrid import Hybrid, HybridParams

if TYPE_CHECKING:
    from model_runtime.caches.causal import CausalCache
    from model_runtime.models.weights import TensorFile

# Quick by itself; on a machine that is busy with other things, many times as long.
pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1800)]

N_PROMPTS = 6
N_TOKENS = 16
#: Two logits closer than this are a tie: float32 sums over other numbers of rows differ by less.
ROUNDING = 0.05


#: Of the base's layers, those that are compared in float32, where a layer has 60 MB: the first and
#: the last.
COMPARED = (0, 23)
#: The commonest tokens come first: these are what the compared heads know, of half a gigabyte.
N_COMPARED_TOKENS = 16_384


def prompts() -> list[list[int]]:
    """Return the fill-in-the-middle prompts of real functions with a line taken out."""
    template = default_model().layout.template
    encode = template.tokenizer.encode
    return [template.lay_out(encode(before), encode(after)) for before, after in gaps(N_PROMPTS)]


def fill(
    denoiser: CanvasDenoiser, prompt: list[int], params: HybridParams, cache: CausalCache
) -> tuple[list[int], int]:
    """Decode the canvas behind a prompt and return its tokens and the number of forwards."""
    mask_id = denoiser.mask_id
    token_ids = torch.tensor(prompt + [mask_id] * N_TOKENS)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), mask_id)
    n_forwards = denoise(denoiser, Hybrid(params), cache, canvas, Budget(), torch.Generator())
    return canvas.token_ids[len(prompt) :].tolist(), n_forwards


def is_tie(denoiser: CanvasDenoiser, prefix: list[int], one: int, other: int) -> bool:
    """Say whether the base finds two next tokens equally good, to rounding."""
    canvas = Canvas(
        torch.tensor([*prefix, denoiser.mask_id]),
        torch.arange(len(prefix) + 1) < len(prefix),
        denoiser.mask_id,
    )
    row = denoiser.predict(canvas, Query(torch.tensor([len(prefix)])), denoiser.new_cache()).rows[0]
    return bool((row[one] - row[other]).abs() < ROUNDING)


def noisy_adapter(denoiser: CanvasDenoiser) -> Adapter:
    """Return an adapter that means nothing, with every part of it at work."""
    file = default_model().weights
    rng = torch.Generator().manual_seed(0)

    def low_rank(name: str) -> LowRank:
        n_out, n_in = file[name].shape
        return LowRank(
            torch.randn(4, n_in, generator=rng) / n_in**0.5,
            torch.randn(n_out, 4, generator=rng) * 0.05,
        )

    config = denoiser.model.config
    layers = []
    for index in range(config.n_layers):
        qkv, out, gate_up, down = (low_rank(f"layers.{index}.{part}") for part in ADAPTED)
        layers.append((qkv, out, gate_up, down))
    return Adapter(
        mask_embedding=torch.randn(3, config.width, generator=rng) * 0.02,
        layers=layers,
        vocabulary=torch.arange(20_000),
        link=Link(
            torch.randn(8, 2 * config.width, generator=rng) / config.width**0.5,
            torch.randn(config.width, 8, generator=rng),
        ),
    )


def test_hybrid_equals_greedy_whatever_the_adapter_does() -> None:
    """Drafts change how many forwards a fill takes, never a token of it; ties are counted."""
    denoiser = default_model().denoiser
    shipped = denoiser.model.adapter, denoiser.model.draft_head
    adapter = noisy_adapter(denoiser)
    head = default_model().weights.linear("head", adapter.vocabulary)
    n_ties = 0
    try:
        for prompt in prompts():
            cache = denoiser.new_cache()
            greedy, n_greedy = fill(denoiser, prompt, HybridParams(n_drafts=0), cache)
            cache.rewind(prompt)
            drafted, n_shipped = fill(denoiser, prompt, HybridParams(), cache)
            denoiser.model.attach(adapter, head)
            cache.rewind(prompt)
            noisy, _ = fill(denoiser, prompt, HybridParams(n_drafts=4, threshold=0.0), cache)
            denoiser.model.attach(*shipped)
            assert n_greedy == N_TOKENS
            assert n_shipped <= N_TOKENS
            for other in (drafted, noisy):
                at = next((i for i in range(N_TOKENS) if greedy[i] != other[i]), None)
                if at is not None:
                    assert is_tie(denoiser, prompt + greedy[:at], greedy[at], other[at])
                    n_ties += 1
    finally:
        denoiser.model.attach(*shipped)
    assert n_ties <= 1, "more ties than rounding explains"


def test_base_equals_transformers() -> None:
    """On the same weights, in float32, the greedy fill is that of transformers' Qwen2."""
    file = default_model().weights
    config = replace(
        default_model().denoiser.model.config,
        n_layers=len(COMPARED),
        vocab_size=N_COMPARED_TOKENS,
    )
    # Both have them, and their memory once.
    weights = {
        f"{i}.{part}": dense(file, f"layers.{i}.{part}") for i in COMPARED for part in ADAPTED
    }
    weights["head"] = dense(file, "embedding", N_COMPARED_TOKENS)
    # Prompts have any token, the marks among them.
    embedding = Embedding(file["embedding"], file["embedding.scale"])
    ours = dense_base(file, config, weights, embedding)
    theirs = reference(file, config, weights)
    denoiser = CanvasDenoiser(ours, mask_id=default_model().denoiser.mask_id, max_length=2048)
    for prompt in prompts():
        greedy, _ = fill(denoiser, prompt, HybridParams(n_drafts=0), denoiser.new_cache())
        with torch.inference_mode():
            rows = embedding(torch.tensor(prompt + greedy))[None]
            logits = theirs(inputs_embeds=rows, logits_to_keep=N_TOKENS + 1).logits[0, :-1]
        assert logits.argmax(-1).tolist() == greedy


def dense(file: TensorFile, name: str, n_rows: int | None = None) -> torch.Tensor:
    """Return a weight, or its first rows, in float32."""
    return file[name][:n_rows].float().mul_(file[f"{name}.scale"][:n_rows, None])


def dense_base(
    file: TensorFile, config: BaseConfig, weights: dict[str, torch.Tensor], embedding: Embedding
) -> GatedModel:
    """Return our base with its weights in float32."""
    layers = [
        Layer(
            attention_norm=file[f"layers.{i}.attention_norm"],
            qkv=DenseLinear(weights[f"{i}.qkv"], file[f"layers.{i}.qkv.bias"]),
            out=DenseLinear(weights[f"{i}.out"]),
            mlp_norm=file[f"layers.{i}.mlp_norm"],
            gate_up=DenseLinear(weights[f"{i}.gate_up"]),
            down=DenseLinear(weights[f"{i}.down"]),
        )
        for i in COMPARED
    ]
    return GatedModel(config, embedding, layers, file["final_norm"], DenseLinear(weights["head"]))


def reference(
    file: TensorFile, config: BaseConfig, weights: dict[str, torch.Tensor]
) -> transformers.Qwen2ForCausalLM:
    """Return transformers' Qwen2 with the same weights."""
    with torch.device("meta"):
        model = transformers.Qwen2ForCausalLM(
            transformers.Qwen2Config(
                vocab_size=config.vocab_size,
                hidden_size=config.width,
                intermediate_size=config.mlp_width,
                num_hidden_layers=config.n_layers,
                num_attention_heads=config.n_heads,
                num_key_value_heads=config.n_kv_heads,
                max_position_embeddings=config.max_length,
                rms_norm_eps=config.norm_eps,
                rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
                tie_word_embeddings=False,
            )
        )
    n_query, n_key = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    state = {
        "model.embed_tokens.weight": weights["head"],  # not used: rows come embedded
        "model.norm.weight": file["final_norm"],
        "lm_head.weight": weights["head"],
    }
    for i, layer in enumerate(COMPARED):
        theirs, name = f"model.layers.{i}", f"layers.{layer}"
        parts = weights[f"{layer}.qkv"].split([n_query, n_key, n_key])
        biases = file[f"{name}.qkv.bias"].split([n_query, n_key, n_key])
        for part, weight, bias in zip("qkv", parts, biases, strict=True):
            state[f"{theirs}.self_attn.{part}_proj.weight"] = weight
            state[f"{theirs}.self_attn.{part}_proj.bias"] = bias
        gate, up = weights[f"{layer}.gate_up"].chunk(2)
        state |= {
            f"{theirs}.self_attn.o_proj.weight": weights[f"{layer}.out"],
            f"{theirs}.mlp.gate_proj.weight": gate,
            f"{theirs}.mlp.up_proj.weight": up,
            f"{theirs}.mlp.down_proj.weight": weights[f"{layer}.down"],
            f"{theirs}.input_layernorm.weight": file[f"{name}.attention_norm"],
            f"{theirs}.post_attention_layernorm.weight": file[f"{name}.mlp_norm"],
        }
    model.load_state_dict(state, assign=True)
    # Frequencies are no parameters: made anew where the weights are.
    rotary = type(model.model.rotary_emb)(model.config)
    model.model.rotary_emb = rotary
    return model.eval()
