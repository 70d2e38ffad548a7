"""A family that sees the whole file at its full size on this machine; its weights are random.

A folder as its authors would publish it is written, checked by `remask pull`, loaded, and asked for
one thing after another, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors.torch import save_file

from model_runtime.bench.apart import apart
from model_runtime.bench.base import Table
from model_runtime.bench.made import SIZES
from model_runtime.bench.random_models import drawn
from model_runtime.engines.published import PublishedEngine
from model_runtime.evaluation.asking import Clock, Patient, ask
from model_runtime.models.dream import Dream, DreamConfig
from model_runtime.models.parts.checkpoint import Plan
from model_runtime.models.parts.config import parse_config
from model_runtime.protocol import InfillRequest, MaskSpan, Usage
from model_runtime.service.process import keep_freed_memory, peak_memory_bytes
from model_runtime.weights import pull
from model_runtime.weights.bases import find_base
from model_runtime.weights.catalog import DEFAULT_MODEL
from model_runtime.weights.convert import TOKENIZER_FILE, ensure_converted
from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from model_runtime.bench.base import Row, Setup
    from model_runtime.settings import RuntimeSettings

#: Of `SIZES`; Open-dCoder's published shape.
SIZE = "0.5b"
_VOCABULARY, _MASK = 151_936, 151_665


def measure(setup: Setup) -> list[Table]:
    """Write the model, use it, and take it away again."""
    cache = cache_dir(setup.settings.cache_dir)
    with tempfile.TemporaryDirectory(dir=cache, prefix="whole-") as folder:
        written = write_random_checkpoint(Path(folder), cache)
        settings = msgspec.structs.replace(
            setup.settings, engine="published", model=folder, cache_dir=folder
        )
        rows = apart(pull_and_use, settings)
    says = (
        f"Open-dCoder's shape ({SIZE.upper()}), its weights random (written in {written:.0f} s), "
        "in the precision that `auto` takes here. Random weights are never sure: what a trained "
        "one settles at once takes the most steps here. Measured once, one after another; seconds "
        "of the processor are those of all its threads."
    )
    title = "A family that sees the file, at full size"
    return [Table(title=title, says=says, rows=tuple(rows))]


def pull_and_use(settings: RuntimeSettings) -> list[Row]:
    """Pull, load, and ask for one thing after another; return what each took."""
    rows: list[Row] = []

    def told(what: str, clock: Clock, usage: Usage) -> None:
        rows.append({
            "what": what, "s": clock.seconds, "processor s": clock.processor_s,
            "peak MiB": peak_memory_bytes() / 2**20, "context": usage.n_context_tokens,
            "forwards": usage.n_forwards, "rows": usage.n_rows, "tokens": usage.n_tokens,
        })  # fmt: skip

    def asked(what: str, *spans: MaskSpan, **fields: Any) -> None:
        request = InfillRequest(
            id="", prefix="def add(values):\n    total = 0\n    for value in values:\n" * 14,
            suffix="\n    return total\n" * 6, seed=1, spans=spans, **fields,
        )  # fmt: skip
        clock = Clock()
        told(what, clock, ask(engine, request).finished.usage)

    # As the runtime's own process does.
    keep_freed_memory()
    clock = Clock()
    with contextlib.redirect_stdout(sys.stderr):
        pull.main(argparse.Namespace(name=settings.model, list=False, source=None))
    told("pull from a folder", clock, Usage())
    engine, client, clock = PublishedEngine(settings), Patient(), Clock()
    engine._load(client, client)  # noqa: SLF001  # as a request does
    told("load", clock, Usage())
    one, text = MaskSpan(single_line=True), "total = total + value  # so far"
    asked("infill, a line", one)
    asked("infill, a line of 16 tokens at the most", MaskSpan(single_line=True, max_tokens=16))
    first = MaskSpan(single_line=True, following="\n    count = 0\n")
    asked("holes, two lines", first, one, mode="holes")
    asked("rewrite, half of a line", MaskSpan(text=text), mode="rewrite", strength=0.5)
    asked("repair, a line", MaskSpan(text=text), mode="repair")
    return rows


def write_random_checkpoint(folder: Path, cache: Path) -> float:
    """Write a checkpoint of random weights with the default model's tokenizer; return seconds."""
    clock, shape = Clock(), SIZES[SIZE]
    values: dict[str, Any] = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "open_dcoder", "hidden_act": "silu",
        "hidden_size": shape.width, "intermediate_size": shape.mlp_width,
        "num_hidden_layers": shape.n_layers, "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.n_kv_heads, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "max_position_embeddings": 32768, "vocab_size": _VOCABULARY, "mask_token_id": _MASK,
        "eos_token_id": 151_643, "tie_word_embeddings": shape.is_tied,
    }  # fmt: skip
    plan = Plan()
    Dream(parse_config(values, DreamConfig), plan)
    rng = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.ones(size, dtype=torch.bfloat16) if "norm" in name else drawn(rng, size)
        for name, size in plan.shapes.items()
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    ensure(DEFAULT_MODEL, folder=cache)
    base = find_base(DEFAULT_MODEL, cache, lambda _n_done, _n_all: None)
    converted = ensure_converted(base.source, base.digest, "int8", base.kept_in)
    shutil.copy(converted / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    return clock.seconds
