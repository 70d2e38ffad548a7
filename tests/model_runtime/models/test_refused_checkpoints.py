"""Checkpoints whose sizes or dtypes do not fit together, though every name is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import tiny

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.parts.load import load_family

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
@pytest.mark.parametrize("variant", ["diffusion_gemma", "dream", "sedd"])
def test_a_rounded_tensor_is_named(variant: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Without its scales, what a quantized checkpoint stores is not the weight."""
    folder = tiny.write_checkpoint(variant, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "mlp" in name and name.endswith(".weight"))
    tensors[name] = tensors[name].to(dtype)
    save_file(tensors, folder / "model.safetensors")

    with pytest.raises(ModelLoadFailed, match=f"floating point.*{name}"):
        load_family(folder, dtype=torch.float32)


@pytest.mark.parametrize(
    ("variant", "changes"),
    [
        ("llada", {"n_kv_heads": 3}),
        ("dream", {"num_key_value_heads": 3}),
        ("sdar", {"num_key_value_heads": 3}),
        ("llada2", {"n_group": 3}),
        ("llada2", {"partial_rotary_factor": 0.25}),
        ("mdlm", {"n_heads": 7}),
        ("eso", {"model": {"n_heads": 7}}),
        ("sedd", {"model": {"n_heads": 7}}),
    ],
)
def test_sizes_that_do_not_divide_are_refused(
    variant: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    """Some of these have the right shapes everywhere, and would be computed wrongly."""
    config = tiny.config_of(variant)
    nested = {
        key: {**config[key], **value} if isinstance(value, dict) else value
        for key, value in changes.items()
    }
    folder = tiny.write_checkpoint(variant, tmp_path, **nested)

    with pytest.raises(ModelLoadFailed, match="do not divide"):
        load_family(folder, dtype=torch.float32)


def test_no_shared_expert_may_be_said_by_null(tmp_path: Path) -> None:
    """LLaDA2's code takes null for none: the checkpoint then has no tensors of one."""
    folder = tiny.write_checkpoint("llada2", tmp_path, num_shared_experts=None)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "shared_experts" not in name}
    assert len(kept) < len(tensors)
    save_file(kept, folder / "model.safetensors")

    rows = load_family(folder, dtype=torch.float32).predict_all(torch.arange(16)[None])

    assert rows.isfinite().all()
