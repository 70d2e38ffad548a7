"""From a folder to a denoiser: which family a checkpoint is of, and whether it can be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from model_runtime.devices import free_bytes
from model_runtime.errors import ModelLoadFailed
from model_runtime.models import MODELS
from model_runtime.models.parts.checkpoint import Plan
from model_runtime.models.parts.config import CONFIG_FILE, Config, parse_config, read_json
from model_runtime.models.parts.family import Family
from model_runtime.models.parts.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_runtime.models.parts.quantize import WeightBits

_GIB = 2**30
#: Activations, keys and values need room, too.
_SHARE_FOR_WEIGHTS = 0.9
#: Tokens that some checkpoints name in the tokenizer's files only.
_SPECIAL_IDS = {
    "delete_token_id", "eos_token_id", "expand_token_id", "mask_token_id", "split_token_id",
}  # fmt: skip
#: How authors spell a mask that their tokenizer has and does not say what it is for: LLaDA2 and
#: dllm, SDAR, Fast-dLLM v2.
_MASKS = ("<|mask|>", "<|MASK|>", "|<MASK>|")


def load_family(
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
    weight_bits: WeightBits | None = None,
    n_free_bytes: int | None = None,
) -> Family:
    """Load a published checkpoint.

    Args:
        folder: `config.json`, safetensors files, and the tokenizer's files where the mask token is
            named only there.
        device: where the weights go.
        dtype: float32, bfloat16 or float16.
        weight_bits: round linear maps to 8 or 4 bits; None keeps them in `dtype`.
        n_free_bytes: what the weights may take; None asks the device.

    Raises:
        ModelLoadFailed: no family knows the architecture; a key or a tensor is unknown, missing or
            unsupported; a file is damaged; the weights do not fit.
    """
    device = torch.device(device)
    family, config, plan, shards = check_checkpoint(folder, device, dtype, weight_bits)
    free = free_bytes(device) if n_free_bytes is None else n_free_bytes
    if free is not None and plan.n_bytes > free * _SHARE_FOR_WEIGHTS:
        raise ModelLoadFailed(
            f"{folder.name} needs {plan.n_bytes / _GIB:.1f} GiB for its weights, and {device} has "
            f"{free / _GIB:.1f} GiB free; use a smaller dtype, int8 or int4 weights, another "
            "device or a smaller model"
        )
    return family(config, shards)


def check_checkpoint(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
    weight_bits: WeightBits | None = None,
) -> tuple[type[Family], Config, Plan, Shards]:
    """Compare a checkpoint with what its family needs, without reading a weight.

    Args:
        folder: see `load_family`, and for the others.
        device: see there.
        dtype: see there.
        weight_bits: see there.

    Returns:
        the family, its configuration, what it needs, and where that is.

    Raises:
        ModelLoadFailed: see `load_family`.
    """
    values = read_json(folder / CONFIG_FILE)
    family = find_family(values)
    config = parse_config(_with_special_ids(values, family, folder), family.config_type)
    plan = Plan(dtype=dtype, weight_bits=weight_bits, target=device)
    family(config, plan)
    shards = Shards(folder, device, dtype, weight_bits)
    shards.check(plan)
    return family, config, plan, shards


def find_family(values: Mapping[str, Any]) -> type[Family]:
    """Return the family that a configuration is of.

    Raises:
        ModelLoadFailed: none; the message lists the architectures there are.
    """
    families = [
        family for name in MODELS.names() if issubclass(family := MODELS.load(name), Family)
    ]
    for family in families:
        if family.recognises(values):
            return family
    allowed = sorted(name for family in families for name in family.architectures)
    found = values.get("architectures") or values.get("model_type")
    raise ModelLoadFailed(f"no family for {found!r}; allowed: {', '.join(allowed)}")


def _with_special_ids(
    values: Mapping[str, Any], family: type[Family], folder: Path
) -> dict[str, Any]:
    """Fill in the special tokens that a configuration leaves to the tokenizer."""
    filled = dict(values)
    for key in _SPECIAL_IDS & set(family.config_type.__struct_fields__):
        if filled.get(key) is None and (found := _special_id(folder, key)) is not None:
            filled[key] = found
    return filled


def _special_id(folder: Path, key: str) -> int | None:
    """Look a special token up in `generation_config.json`, then in the tokenizer's files."""
    generation = folder / "generation_config.json"
    if generation.exists() and isinstance(found := read_json(generation).get(key), int):
        return found
    token = None
    ids: dict[str, int] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json", "added_tokens.json"):
        if not (folder / name).exists():
            continue
        values = read_json(folder / name)
        token = token or values.get(key.removesuffix("_id"))
        if name == "added_tokens.json":
            ids.update(values)
        for index, entry in values.get("added_tokens_decoder", {}).items():
            ids[entry["content"]] = int(index)
    if isinstance(token, dict):
        token = token.get("content")
    if token is None and key == "mask_token_id":
        token = next((mask for mask in _MASKS if mask in ids), None)
    return None if token is None else ids.get(token)
