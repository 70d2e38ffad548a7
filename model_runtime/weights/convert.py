"""From a base model as it was published to the form the engine loads, made once and kept.

The converted folder holds the weights (safetensors: int8 with one scale an output channel for a
processor, floating point for an accelerator), the tokenizer, the marks of its prompt and the shape
of the model. Its name carries the digest of the source, the precision and the version of this
conversion, so a stale one is never loaded. A conversion holds a few thousand rows at a time.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import torch

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.int4 import GROUP, quantize_int4
from model_runtime.models.int8 import quantize_int8
from model_runtime.models.weights import CONFIG_FILE, WEIGHTS_FILE
from model_runtime.text.marks import Marks, find_marks
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.weights.base import ROPE_FACTORS
from model_runtime.weights.writing import write_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from model_runtime.weights.base import BaseSource
    from model_runtime.weights.writing import Planned

#: What weights are kept in. int7 is int8 with weights of 7 bits, for processors whose kernels leave
#: no room for more; int4 is that of `models.int4`.
Precision = Literal["int4", "int7", "int8", "bf16", "fp16", "fp32"]

#: Raise it whenever what is written changes so that what was written before is wrong.
CONVERSION_VERSION = 1


TOKENIZER_FILE = "tokenizer.json"
MARKS_FILE = "marks.json"

#: Of a tensor, held in float32 at a time: bounds the memory that a conversion takes.
ROWS_AT_A_TIME = 4096

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_N_BITS = {"int4": 4, "int7": 7, "int8": 8}


def converted_folder(source: Path, digest: str, precision: Precision, kept_in: Path) -> Path:
    """Return where the converted form of `source` is kept."""
    return kept_in / f"{source.stem}-{digest[:12]}-{precision}-v{CONVERSION_VERSION}"


def open_base(source: Path) -> BaseSource:
    """Open a base model, and check that it hangs together.

    Args:
        source: a GGUF file, or a folder of safetensors.

    Raises:
        ModelLoadFailed: it is neither, damaged, or a model of another kind.
    """
    # Needed once on a machine; every start would pay for it.
    from model_runtime.weights.gguf_base import GgufBase  # noqa: PLC0415
    from model_runtime.weights.safetensors_base import SafetensorsBase  # noqa: PLC0415

    base = SafetensorsBase(source) if source.is_dir() else GgufBase(source)
    base.check()
    return base


def ensure_converted(
    source: Path,
    digest: str,
    precision: Precision,
    kept_in: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> Path:
    """Return the converted folder of a base model, converting it first if that was never done.

    Args:
        source: a GGUF file, or a folder of safetensors.
        digest: what tells it from another one, in hex.
        precision: of the linear maps.
        kept_in: where converted folders are.
        progress: called with the share done, 0 to 1.

    Raises:
        ModelLoadFailed: it is no base model, or has no marks, or there is no room to write.
    """
    folder = converted_folder(source, digest, precision, kept_in)
    if (folder / WEIGHTS_FILE).is_file():
        return folder
    try:
        kept_in.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=folder.name, dir=kept_in))
        try:
            _convert(open_base(source), scratch, precision, progress)
            # Whoever comes second finds the folder taken, which is as good.
            if not folder.exists():
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ModelLoadFailed(
            f"The model, made ready for this machine, can't be written to {kept_in}: "
            f"{error.strerror or error}. Make room there, or set REMASK_CACHE_DIR to another one."
        ) from error
    return folder


def read_marks(folder: Path) -> Marks | None:
    """Return the marks of a converted base; None where an older conversion did not write them.

    Raises:
        ModelLoadFailed: the file is damaged.
    """
    try:
        return msgspec.json.decode((folder / MARKS_FILE).read_bytes(), type=Marks)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelLoadFailed(f"{folder / MARKS_FILE} can't be read ({error})") from error


def _convert(
    base: BaseSource, folder: Path, precision: Precision, progress: Callable[[float], None]
) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps(asdict(base.config), indent=2), encoding="utf-8")
    try:
        tokenizer, hints = base.tokenizer()
    except ModelLoadFailed as fault:
        raise ModelLoadFailed(f"{base.name}: {fault}") from fault
    tokenizer.save(str(folder / TOKENIZER_FILE))
    marks = find_marks(CodeTokenizer(folder / TOKENIZER_FILE), hints)
    (folder / MARKS_FILE).write_bytes(msgspec.json.encode(marks))
    layout = dict(_fused(base))
    planned = dict(_planned(base, layout, precision))
    write_tensors(
        folder / WEIGHTS_FILE, planned, _tensors(base, layout, planned, precision, progress)
    )


def _fused(base: BaseSource) -> Iterator[tuple[str, list[str]]]:
    """Yield our name of each tensor and the base's tensors it is stacked from."""

    def both(ours: str, *theirs: str) -> Iterator[tuple[str, list[str]]]:
        yield ours, [f"{name}.weight" for name in theirs]
        biases = [f"{name}.bias" for name in theirs]
        if all(base.shape(name) for name in biases):
            yield f"{ours}.bias", biases

    yield "embedding", ["token_embd.weight"]
    if base.config.has_rope_factors:
        yield "rope_factors", [ROPE_FACTORS]
    for index in range(base.config.n_layers):
        ours, theirs = f"layers.{index}", f"blk.{index}"
        yield f"{ours}.attention_norm", [f"{theirs}.attn_norm.weight"]
        yield from both(f"{ours}.qkv", *(f"{theirs}.attn_{part}" for part in "qkv"))
        if base.config.head_norms:
            yield f"{ours}.query_norm", [f"{theirs}.attn_q_norm.weight"]
            yield f"{ours}.key_norm", [f"{theirs}.attn_k_norm.weight"]
        yield from both(f"{ours}.out", f"{theirs}.attn_output")
        yield f"{ours}.mlp_norm", [f"{theirs}.ffn_norm.weight"]
        yield from both(f"{ours}.gate_up", f"{theirs}.ffn_gate", f"{theirs}.ffn_up")
        yield from both(f"{ours}.down", f"{theirs}.ffn_down")
    yield "final_norm", ["output_norm.weight"]
    # Tied: the head is the embedding.
    is_tied = base.shape("output.weight") is None
    yield "head", ["token_embd.weight" if is_tied else "output.weight"]


def _planned(
    base: BaseSource, layout: dict[str, list[str]], precision: Precision
) -> Iterator[tuple[str, Planned]]:
    """Yield each tensor that will be written."""
    for name, parts in layout.items():
        shapes = [base.shape(part) or () for part in parts]
        shape = (sum(shape[0] for shape in shapes), *shapes[0][1:])
        is_vector = len(shape) == 1
        # Frequencies are multiplied by positions: they have no rounding to spare.
        dtype = torch.float32 if name == "rope_factors" else _DTYPES.get(precision)
        if dtype or is_vector:
            yield name, (shape, dtype or torch.float32)
        elif _bits(name, precision) == 4:  # noqa: PLR2004  # the name says it
            yield name, ((shape[0], shape[1] // 2), torch.uint8)
            yield f"{name}.scale", ((shape[0], shape[1] // GROUP), torch.float32)
        else:
            yield name, (shape, torch.int8)
            yield f"{name}.scale", (shape[:1], torch.float32)


def _bits(name: str, precision: Precision) -> int:
    """Return the bits of a rounded weight."""
    # An embedding is looked up, not multiplied, so it has room for 8.
    return 8 if name == "embedding" else _N_BITS[precision]


def _tensors(
    base: BaseSource,
    layout: dict[str, list[str]],
    planned: dict[str, Planned],
    precision: Precision,
    progress: Callable[[float], None],
) -> Iterator[tuple[str, Tensor]]:
    """Yield the pieces of each tensor, as `write_tensors` wants them."""
    for n_done, (name, parts) in enumerate(layout.items()):
        progress(n_done / len(layout))
        dtype = planned[name][1]
        scales: list[Tensor] = []
        for part in parts:
            n_rows = (base.shape(part) or (0,))[0]
            for start in range(0, n_rows, ROWS_AT_A_TIME):
                rows = base.rows(part, start, min(start + ROWS_AT_A_TIME, n_rows))
                if dtype.is_floating_point:
                    yield name, rows.to(dtype)
                    continue
                n_bits = _bits(name, precision)
                rounded, scale = (
                    quantize_int4(rows) if dtype == torch.uint8 else quantize_int8(rows, n_bits)
                )
                scales.append(scale)
                yield name, rounded
        if scales:
            yield f"{name}.scale", torch.cat(scales)
