"""Shapes without golden fixtures, against the causal classes that they were trained from.

With another attention mask, transformers' Llama, Qwen2, Qwen3 and Qwen3-MoE compute what these
diffusion models compute.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from safetensors.torch import save_file

from model_runtime.models.parts.load import load_family

if TYPE_CHECKING:
    from pathlib import Path

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": 64,
}
EXPERTS: dict[str, Any] = {
    "moe_intermediate_size": 24,
    "num_experts": 8,
    "num_experts_per_tok": 3,
}
LENGTH = 19

#: Their class's name (transformers imports a class when it is first asked for) and configuration;
#: our architecture and the keys it calls otherwise; block length.
SHAPES = [
    pytest.param(
        "Qwen3",
        SIZES | {"head_dim": 16, "tie_word_embeddings": True},
        {"architectures": ["CoDALanguageModel"], "attention_bias": False},
        None,
        id="CoDA",
    ),
    pytest.param(
        "Qwen2",
        SIZES | {"tie_word_embeddings": True},
        {"architectures": ["A2DQwen2LMHeadModel"], "use_mrope": False},
        None,
        id="dllm-A2D-Qwen2",
    ),
    pytest.param(
        "Qwen3",
        SIZES | {"head_dim": 16, "tie_word_embeddings": True},
        {"architectures": ["A2DQwen3LMHeadModel"], "attention_bias": False, "block_size": 6},
        6,
        id="dllm-A2D-Qwen3-blocks",
    ),
    pytest.param(
        "Qwen3",
        SIZES | {"head_dim": 16},
        {"architectures": ["DreamForCausalLM"], "block_size": 5},
        5,
        id="DreamReasoner",
    ),
    pytest.param(
        "Qwen2",
        SIZES,
        {"architectures": ["Fast_dLLM_QwenForCausalLM"], "bd_size": 5},
        5,
        id="Fast-dLLM-v2",
    ),
    pytest.param(
        "Llama",
        SIZES,
        {"architectures": ["StableDiffcoderForCausalLM"], "attention_bias": False},
        4,
        id="Stable-DiffCoder",
    ),
    pytest.param(
        "Qwen3Moe",
        SIZES | EXPERTS | {"head_dim": 16, "norm_topk_prob": True},
        {"architectures": ["SDARMoeForCausalLM"], **EXPERTS, "norm_topk_prob": True},
        4,
        id="SDAR-MoE",
    ),
    pytest.param(
        "Qwen3Moe",
        SIZES | EXPERTS | {"head_dim": 8, "norm_topk_prob": False},
        {
            "architectures": ["LLaDAMoEModelLM"],
            "expert_intermediate_size": EXPERTS["moe_intermediate_size"],
            "num_experts": EXPERTS["num_experts"],
            "num_experts_per_tok": EXPERTS["num_experts_per_tok"],
            "qk_layernorm": True,
        },
        None,
        id="LLaDA-MoE",
    ),
]


def published_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return tensors under the names of hub checkpoints, where each expert has its own."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("experts.gate_up_proj"):
            for index, fused in enumerate(tensor):
                gate, up = fused.chunk(2)
                prefix = name.replace("gate_up_proj", str(index))
                tensors[f"{prefix}.gate_proj.weight"] = gate
                tensors[f"{prefix}.up_proj.weight"] = up
        elif name.endswith("experts.down_proj"):
            for index, down in enumerate(tensor):
                tensors[name.replace("down_proj", f"{index}.down_proj.weight")] = down
        else:
            tensors[name] = tensor
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


@pytest.mark.parametrize(("theirs", "sizes", "ours", "block_length"), SHAPES)
def test_logits_are_those_of_the_causal_class_with_another_mask(
    theirs: str,
    sizes: dict[str, Any],
    ours: dict[str, Any],
    block_length: int | None,
    tmp_path: Path,
) -> None:
    """The same tensors give the same logits, over a batch."""
    torch.manual_seed(3)
    config = getattr(transformers, f"{theirs}Config")(**sizes)
    model = getattr(transformers, f"{theirs}ForCausalLM")(config).eval()
    for name, parameter in model.named_parameters():
        # As they come, norms are one and biases zero, which hides what is left out.
        if "norm" in name or "bias" in name:
            parameter.data += 0.2 * torch.randn_like(parameter)
    save_file(published_tensors(model), tmp_path / "model.safetensors")
    values = {
        **SIZES,
        "head_dim": getattr(config, "head_dim", None),
        **ours,
        "mask_token_id": 63,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": config.tie_word_embeddings,
    }
    if "LLaDAMoEModelLM" in ours["architectures"]:
        del values["intermediate_size"]
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    token_ids = torch.randint(0, 64, (2, LENGTH))
    allowed = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
    if block_length is not None:
        block = torch.arange(LENGTH) // block_length
        allowed = block <= block[:, None]

    family = load_family(tmp_path, dtype=torch.float32)

    assert family.block_length == block_length
    with torch.no_grad():
        additive = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
        expected = model(token_ids, attention_mask=additive[None, None].expand(2, 1, -1, -1))
    torch.testing.assert_close(family.forward(token_ids), expected.logits, atol=1e-4, rtol=0)
