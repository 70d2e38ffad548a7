"""Bases of every kind that is known, from both formats, through the real loader and engine."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from support.bases import BASES, SAMPLE, model_of, tokenizer_of, write_base_gguf, write_folder
from support.tiny_canvas import Listener, Patience

from model_runtime.bench.made import SIZES
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.engines.loading import LoadedModel, load_default
from model_runtime.engines.local import LocalEngine
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

N_TOKENS = 24
PREFIX, SUFFIX = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"


def settings_for(source: Path, **fields: object) -> RuntimeSettings:
    """Return settings that load a base of one's own, with a cache beside it."""
    values = {"max_context_tokens": 512, "device": "cpu", "precision": "fp32", **fields}
    return RuntimeSettings(model=str(source), cache_dir=str(source.parent / "cache"), **values)


def write(base: str, form: str, folder: Path) -> Path:
    """Write a base in one of the two formats."""
    if form == "gguf":
        return write_base_gguf(base, folder / f"{base}.gguf")
    return write_folder(base, folder / base)


def loaded(base: str, form: str, folder: Path) -> LoadedModel:
    """Write a base and load it."""
    return load_default(settings_for(write(base, form, folder)), lambda *_: None)


def greedy(model: LoadedModel, prompt: list[int], params: HybridParams) -> list[int]:
    """Decode a canvas behind a prompt."""
    mask_id = model.denoiser.mask_id
    token_ids = torch.tensor(prompt + [mask_id] * N_TOKENS)
    canvas = Canvas(token_ids, torch.arange(len(token_ids)) < len(prompt), mask_id)
    cache = model.denoiser.new_cache()
    denoise(model.denoiser, Hybrid(params), cache, canvas, Budget(), torch.Generator())
    return canvas.token_ids[len(prompt) :].tolist()


def said_by(template: Any, prompt: list[int], mask_id: int) -> list[int]:
    """Return the greedy text of transformers' model behind a prompt."""
    expected = list(prompt)
    with torch.inference_mode():
        for _ in range(N_TOKENS):
            row = template(torch.tensor([expected])).logits[0, -1]
            row[mask_id] = -torch.inf
            expected.append(int(row.argmax()))
    return expected[len(prompt) :]


def prompt_of(model: LoadedModel) -> list[int]:
    """Return the prompt of a small gap."""
    fim = model.layout.template
    return fim.lay_out(fim.tokenizer.encode(PREFIX), fim.tokenizer.encode(SUFFIX))


@pytest.mark.parametrize("form", ["gguf", "safetensors"])
@pytest.mark.parametrize("base", BASES)
def test_greedy_text_is_that_of_transformers(base: str, form: str, tmp_path: Path) -> None:
    """The same weights say the same tokens, drafted from repeats or one by one."""
    model = loaded(base, form, tmp_path)
    prompt = prompt_of(model)
    expected = said_by(model_of(base), prompt, model.denoiser.mask_id)

    assert greedy(model, prompt, HybridParams(n_drafts=0)) == expected
    assert greedy(model, prompt, HybridParams(from_canvas=False)) == expected


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Return a folder that is gone afterwards, for files too large to be kept a while."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("size", ["1.5b", "3b", "7b"])
def test_a_layer_of_the_real_shape(size: str, scratch: Path) -> None:
    """As wide as it is, in one layer: converted, loaded, and said like transformers; it streams."""
    shape = SIZES[size]
    # Made twice, from the same seed: it takes a gigabyte, as the engine does, and they need not be
    # there at the same time.
    template = partial(
        model_of, "qwen2.5-coder", hidden_size=shape.width, intermediate_size=shape.mlp_width,
        num_attention_heads=shape.n_heads, num_key_value_heads=shape.n_kv_heads,
        num_hidden_layers=1, tie_word_embeddings=shape.is_tied, initializer_range=0.03,
    )  # fmt: skip
    source = write_base_gguf("qwen2.5-coder", scratch / "base.gguf", template())
    prompt, mask_id, text = filled(source)

    assert text == said_by(template(), prompt, mask_id)


def filled(source: Path) -> tuple[list[int], int, list[int]]:
    """Return the prompt of a small gap, the mask, and what a file's base says; it streams."""
    engine, listener = LocalEngine(settings_for(source)), Listener()
    request = InfillRequest(
        id="r", prefix=PREFIX, suffix=SUFFIX, spans=(MaskSpan(max_tokens=6),), stream=True
    )
    engine.infill(request, listener, Patience())
    assert len(listener.steps) > 1
    model = engine._model
    assert model is not None
    prompt = prompt_of(model)
    return prompt, model.denoiser.mask_id, greedy(model, prompt, HybridParams(from_canvas=False))


@pytest.mark.parametrize("form", ["gguf", "safetensors"])
@pytest.mark.parametrize("base", BASES)
def test_the_prompt_is_the_published_one(base: str, form: str, tmp_path: Path) -> None:
    """Token for token what the base's own tokenizer makes of its documentation's prompt."""
    fim, published = loaded(base, form, tmp_path).layout.template, BASES[base]
    prompt = published.prompt.replace("PREFIX", PREFIX).replace("SUFFIX", SUFFIX)
    encode = fim.tokenizer.encode

    assert fim.lay_out(encode(PREFIX), encode(SUFFIX)) == tokenizer_of(base).encode(prompt).ids
    assert encode(SAMPLE) == tokenizer_of(base).encode(SAMPLE, add_special_tokens=False).ids
    assert fim.tokenizer.decode(encode(SAMPLE)) == SAMPLE
    assert fim.tokenizer.name(fim.end_id) == published.end
    named = published.file.format(path="a/b.py") + "x = 1\n"
    assert (
        fim.lay_out_file("a/b.py", "x = 1")
        == tokenizer_of(base).encode(named, add_special_tokens=False).ids
    )


@pytest.mark.parametrize("base", BASES)
def test_marks_in_a_buffer_are_text(base: str, tmp_path: Path) -> None:
    """A file that spells a base's marks gets pieces of them, and comes back as it was."""
    tokenizer = loaded(base, "safetensors", tmp_path).layout.template.tokenizer
    text = f"x = {''.join(BASES[base].control)!r}"

    assert not tokenizer.control_ids & set(tokenizer.encode(text))
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("form", ["gguf", "safetensors"])
@pytest.mark.parametrize("base", BASES)
def test_a_base_fills_and_streams(base: str, form: str, tmp_path: Path) -> None:
    """The engine fills with it as shipped: in this processor's own precision, step by step."""
    source = write(base, form, tmp_path)
    engine = LocalEngine(settings_for(source, precision="auto"))
    listener = Listener()
    request = InfillRequest(
        id="r", prefix=PREFIX, suffix=SUFFIX, spans=(MaskSpan(max_tokens=12),), stream=True
    )
    finished = engine.infill(request, listener, Patience())

    assert finished.model == str(source)
    assert len(listener.steps) > 1
    assert finished.usage.n_forwards <= 13 + len(listener.steps)
    assert "no adapter for this model" in engine.describe().device
    said = listener.steps[-1].committed[0]
    # What may still be cut is not shown before the end.
    assert said.strip() in finished.alternatives[0].texts[0]
