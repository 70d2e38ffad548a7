"""From a verified GGUF file to the form the engine loads, made once and kept beside it.

The converted folder holds the weights (safetensors: int8 with one scale an output channel for a
CPU, bfloat16 for CUDA), the tokenizer and the shape of the model. Its name carries the digest of
the source, the precision and the version of this conversion, so a stale one is never loaded.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import save_file

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.gated import BaseConfig
from model_runtime.models.int8 import quantize_int8
from model_runtime.models.weights import CONFIG_FILE, WEIGHTS_FILE
from model_runtime.text.tokenizer import tokenizer_from_gguf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import gguf

#: int7 is int8 with weights of 7 bits, for processors whose kernels leave no room for more.
Precision = Literal["int8", "int7", "bf16", "fp32"]

#: Raise it whenever what `convert` writes changes.
CONVERSION_VERSION = 1


TOKENIZER_FILE = "tokenizer.json"

#: Of a tensor, held in float32 at a time: bounds the memory that a conversion takes.
ROWS_AT_A_TIME = 4096

_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_N_BITS = {"int8": 8, "int7": 7}


def converted_folder(source: Path, digest: str, precision: Precision) -> Path:
    """Return where the converted form of `source` is kept."""
    return source.parent / f"{source.stem}-{digest[:12]}-{precision}-v{CONVERSION_VERSION}"


def ensure_converted(
    source: Path,
    digest: str,
    precision: Precision,
    progress: Callable[[float], None] = lambda _: None,
) -> Path:
    """Return the converted folder of a GGUF file, converting it first if that was never done.

    Args:
        source: a verified GGUF file.
        digest: its SHA-256, in hex.
        precision: of the linear maps.
        progress: called with the share done, 0 to 1.

    Raises:
        ModelLoadFailed: the file is no Qwen2 GGUF, or there is no room to write.
    """
    folder = converted_folder(source, digest, precision)
    if (folder / WEIGHTS_FILE).is_file():
        return folder
    scratch = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        _convert(source, scratch, precision, progress)
        # Whoever comes second finds the folder taken, which is as good.
        if not folder.exists():
            scratch.rename(folder)
    except OSError as error:
        raise ModelLoadFailed(f"the converted model could not be written: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _convert(
    source: Path, folder: Path, precision: Precision, progress: Callable[[float], None]
) -> None:
    # Needed once on a machine; every start would pay for it.
    import gguf  # noqa: PLC0415

    try:
        reader = gguf.GGUFReader(source)
    except (ValueError, OSError) as error:
        raise ModelLoadFailed(f"{source.name} is not a GGUF file: {error}") from error
    config = _read_config(reader)
    (folder / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=2), encoding="utf-8")
    tokenizer_from_gguf(reader).save(str(folder / TOKENIZER_FILE))
    # The fields hold every token as an array of its own; they are not needed any more.
    reader.fields.clear()
    tensors: dict[str, torch.Tensor] = {}
    fused = list(_fused(config))
    for n_done, (name, parts) in enumerate(fused):
        # An embedding is looked up, not multiplied, so it has room for all its bits.
        n_bits = 8 if name == "embedding" else _N_BITS.get(precision)
        tensors[name], scales = _stack(_find(reader, parts), precision, n_bits)
        if scales is not None:
            tensors[f"{name}.scale"] = scales
        progress(n_done / len(fused))
    save_file(tensors, folder / WEIGHTS_FILE)


def _fused(config: BaseConfig) -> Iterator[tuple[str, list[str]]]:
    """Yield our name of each tensor and the GGUF tensors it is stacked from."""
    yield "embedding", ["token_embd.weight"]
    for index in range(config.n_layers):
        ours, theirs = f"layers.{index}", f"blk.{index}"
        qkv = [f"{theirs}.attn_{part}" for part in "qkv"]
        yield f"{ours}.attention_norm", [f"{theirs}.attn_norm.weight"]
        yield f"{ours}.qkv", [f"{name}.weight" for name in qkv]
        yield f"{ours}.qkv.bias", [f"{name}.bias" for name in qkv]
        yield f"{ours}.out", [f"{theirs}.attn_output.weight"]
        yield f"{ours}.mlp_norm", [f"{theirs}.ffn_norm.weight"]
        yield f"{ours}.gate_up", [f"{theirs}.ffn_gate.weight", f"{theirs}.ffn_up.weight"]
        yield f"{ours}.down", [f"{theirs}.ffn_down.weight"]
    yield "final_norm", ["output_norm.weight"]
    yield "head", ["output.weight"]


def _stack(
    parts: list[gguf.ReaderTensor], precision: Precision, n_bits: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return GGUF tensors stacked in our precision, and the scales of the rows where it has them.

    The whole is laid out first and filled a few thousand rows at a time: what is held in float32
    meanwhile stays small.
    """
    from gguf import dequantize  # noqa: PLC0415  # as above

    n_rows = sum(len(part.data) for part in parts)
    is_vector = len(parts[0].shape) == 1
    dtype = _DTYPES.get(precision, torch.float32 if is_vector else torch.int8)
    shape = (n_rows,) if is_vector else (n_rows, int(parts[0].shape[0]))
    stacked = torch.empty(shape, dtype=dtype)
    scales = None if dtype != torch.int8 else torch.empty(n_rows)
    end = 0
    for part in parts:
        for start in range(0, len(part.data), ROWS_AT_A_TIME):
            quantized = part.data[start : start + ROWS_AT_A_TIME]
            stretch = torch.from_numpy(dequantize(quantized, part.tensor_type).copy())
            rows = slice(end, end + len(stretch))
            end = rows.stop
            if scales is None:
                stacked[rows] = stretch
            else:
                stacked[rows], scales[rows] = quantize_int8(stretch, n_bits)
    return stacked, scales


def _find(reader: gguf.GGUFReader, names: list[str]) -> list[gguf.ReaderTensor]:
    found = {tensor.name: tensor for tensor in reader.tensors}
    # Tied: the head is the embedding.
    found.setdefault("output.weight", found.get("token_embd.weight"))
    for name in names:
        if found.get(name) is None:
            raise ModelLoadFailed(f"the GGUF file has no tensor {name!r}")
    return [found[name] for name in names]


def _read_config(reader: gguf.GGUFReader) -> BaseConfig:
    architecture = _field(reader, "general.architecture")
    if architecture != "qwen2":
        raise ModelLoadFailed(f"the GGUF file holds a {architecture!r} model; allowed: qwen2")
    width = _field(reader, "qwen2.embedding_length")
    n_heads = _field(reader, "qwen2.attention.head_count")
    return BaseConfig(
        n_layers=_field(reader, "qwen2.block_count"),
        width=width,
        n_heads=n_heads,
        n_kv_heads=_field(reader, "qwen2.attention.head_count_kv"),
        head_dim=width // n_heads,
        mlp_width=_field(reader, "qwen2.feed_forward_length"),
        rope_base=_field(reader, "qwen2.rope.freq_base"),
        norm_eps=_field(reader, "qwen2.attention.layer_norm_rms_epsilon"),
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].data),
        max_length=_field(reader, "qwen2.context_length"),
    )


def _field(reader: gguf.GGUFReader, key: str) -> Any:
    if key not in reader.fields:
        raise ModelLoadFailed(f"the GGUF file has no field {key!r}")
    return reader.fields[key].contents()
