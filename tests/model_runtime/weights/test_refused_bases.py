"""Files that are no base that fills: each gets its sentence, before anything is loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gguf
import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.bases import model_of, write_base_gguf, write_folder

from model_runtime.devices import choose_device, choose_precision, needed_bytes
from model_runtime.engines.loading import load_default
from model_runtime.errors import BadRequest, ModelLoadFailed, UnknownName
from model_runtime.models.gated import BaseConfig
from model_runtime.settings import RuntimeSettings
from model_runtime.weights.bases import find_base
from model_runtime.weights.convert import open_base

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
#: Qwen2.5-Coder-7B's shape.
SEVEN = BaseConfig(
    n_layers=28, width=3584, n_heads=28, n_kv_heads=4, head_dim=128, mlp_width=18944,
    rope_base=1e6, norm_eps=1e-6, vocab_size=152064, max_length=32768,
)  # fmt: skip


def load(source: Path) -> None:
    """Load a base as the engine does."""
    settings = RuntimeSettings(
        model=str(source), cache_dir=str(source.parent / "cache"), device="cpu", precision="fp32"
    )
    load_default(settings, lambda *_: None)


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(100), b"\x80\x04pickle"])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no GGUF is said to be none."""
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelLoadFailed, match=r"model\.gguf is not a GGUF file"):
        load(path)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.999])
def test_a_file_that_is_cut_short(tmp_path: Path, share: float) -> None:
    """Wherever it was cut, in its header or in its weights, and before it is converted."""
    path = write_base_gguf("qwen2.5-coder", tmp_path / "model.gguf")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelLoadFailed, match="only the beginning of one"):
        load(path)
    assert not (tmp_path / "cache").exists()


def test_a_shard_that_is_cut_short(tmp_path: Path) -> None:
    """The same for safetensors."""
    folder = write_folder("qwen3", tmp_path / "model")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelLoadFailed, match="cut short or damaged"):
        load(folder)


def test_a_base_without_marks(tmp_path: Path) -> None:
    """A model that was not trained to fill is refused, and bases that were are named."""
    path = write_base_gguf("granite-code", tmp_path / "chat.gguf", has_marks=False)
    with pytest.raises(ModelLoadFailed, match=r"no fill-in-the-middle marks.*Qwen2\.5-Coder"):
        load(path)


def test_marks_that_are_named_in_the_file(tmp_path: Path) -> None:
    """Ids in the metadata are enough where the names are unknown; ids of no tokens are refused."""
    ids = {f"tokenizer.ggml.fim_{part}_token_id": 593 + at for at, part in enumerate(("pre", "mid", "suf"))}  # fmt: skip # noqa: E501
    path = write_base_gguf("granite-code", tmp_path / "own.gguf", has_marks=False, **ids)
    load(path)
    wrong = dict.fromkeys(ids, 7)
    path = write_base_gguf("granite-code", tmp_path / "wrong.gguf", has_marks=False, **wrong)
    with pytest.raises(ModelLoadFailed, match="not four control tokens"):
        load(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("qwen2.attention.head_count", 0, "sizes that can't be"),
        ("qwen2.attention.head_count_kv", 3, "sizes that can't be"),
        ("qwen2.block_count", 3, r"no tensor 'blk\.2\.attn_q\.weight'"),
        ("qwen2.feed_forward_length", 97, "is 96 x 64, not 97 x 64"),
    ],
)
def test_sizes_that_do_not_agree(tmp_path: Path, key: str, value: int, words: str) -> None:
    """What a file says of itself is compared with what it holds."""
    path = write_base_gguf("qwen2.5-coder", tmp_path / "model.gguf", replaced={key: value})
    with pytest.raises(ModelLoadFailed, match=words):
        open_base(path)


@pytest.mark.parametrize("key", ["attention.head_count", "embedding_length", "rope.freq_base"])
def test_words_where_numbers_should_be(tmp_path: Path, key: str) -> None:
    """A file may hold any kind of value under any key; it is refused, and nothing breaks."""
    path = write_base_gguf("qwen2.5-coder", tmp_path / "model.gguf", replaced={f"qwen2.{key}": "x"})
    with pytest.raises(ModelLoadFailed, match="says of itself what makes no sense"):
        open_base(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", "64"),
        ("hidden_size", [64]),
        ("num_attention_heads", "four"),
        ("rope_theta", [1]),
        ("rope_scaling", {"rope_type": "linear"}),
        ("rope_scaling", {"rope_type": "llama3", "factor": 8.0}),
        ("rope_scaling", {"rope_type": "llama3", "factor": "x", "low_freq_factor": 1.0,
                          "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
        ("vocab_size", 1e9),
        ("rms_norm_eps", "small"),
        ("rms_norm_eps", float("nan")),
        ("rope_theta", -1.0),
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense(tmp_path: Path, key: str, value: object) -> None:
    """Whatever kind of value stands under a key: one sentence, before a weight is read."""
    folder = write_folder("qwen3", tmp_path / "model")
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    # One place for it, whichever transformers wrote.
    values.pop("rope_parameters", None)
    path.write_text(json.dumps({"rope_theta": 1e6, **values, key: value}), encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match=r"makes no sense|sizes that can't be"):
        open_base(folder)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe{}", b"[]", b"{}", b'{"model": null}'])
def test_a_tokenizer_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Damaged, of another coding, or something else: one sentence."""
    folder = write_folder("qwen3", tmp_path / "model")
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelLoadFailed, match=r"tokenizer\.json"):
        load(folder)


@pytest.mark.parametrize("value", [-1.0, 0.0, float("inf"), float("nan")])
@pytest.mark.parametrize("key", ["rope.freq_base", "attention.layer_norm_rms_epsilon"])
def test_numbers_that_nothing_turns_by(tmp_path: Path, key: str, value: float) -> None:
    """They would make rubbish of every text without a word."""
    replaced = {f"qwen2.{key}": value}
    path = write_base_gguf("qwen2.5-coder", tmp_path / "model.gguf", replaced=replaced)
    with pytest.raises(ModelLoadFailed, match="can't be"):
        open_base(path)


def test_another_architecture(tmp_path: Path) -> None:
    """The message lists the ones there are."""
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "starcoder2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelLoadFailed, match="'starcoder2' model; allowed: llama, qwen2, qwen3"):
        open_base(tmp_path / "model.gguf")


def test_a_quantized_checkpoint(tmp_path: Path) -> None:
    """Whole numbers in safetensors need scales that nobody here knows."""
    folder = write_folder("qwen3", tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_file(tensors | {name: tensors[name].to(torch.int8)}, folder / "model.safetensors")
    with pytest.raises(ModelLoadFailed, match="only a quantized checkpoint has"):
        open_base(folder)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """Of the catalog, bases from the hub among them."""
    with pytest.raises(UnknownName, match=r"qwen2\.5-coder-1\.5b"):
        find_base("qwen", tmp_path)


@pytest.mark.parametrize(
    "name", ["/no/such.gguf", "~/no-such-folder", "./no", "models/mine.gguf", "C:\\mine.gguf"]
)  # fmt: skip
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    """Nobody is asked for it, and no names are listed that nobody wanted."""
    with pytest.raises(ModelLoadFailed, match="there is no such file or folder"):
        find_base(name, tmp_path)


def test_a_file_of_a_folder(tmp_path: Path) -> None:
    """A model of safetensors is a folder, and whoever names a file of it is told."""
    folder = write_folder("qwen3", tmp_path / "model")
    with pytest.raises(ModelLoadFailed, match="give the folder that it is in"):
        find_base(str(folder / "model.safetensors"), tmp_path)


def test_too_large_a_model_is_told_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a byte is read: what it needs, what is free, and the precision to set."""
    monkeypatch.setattr("model_runtime.devices.free_bytes", lambda _: 11_800_000_000)
    with pytest.raises(ModelLoadFailed) as refused:
        choose_precision("seven", SEVEN, CPU, "bf16", 3072)
    assert "needs 16.0 GB in bf16, 11.8 are free on cpu: int8 needs 8.7 (set precision = int8)" in str(refused.value)  # fmt: skip # noqa: E501
    monkeypatch.setattr("model_runtime.devices.free_bytes", lambda _: 1_000_000_000)
    with pytest.raises(ModelLoadFailed, match=r"even int4 would need .* take a smaller model"):
        choose_precision("seven", SEVEN, CPU, "int8", 3072)
    assert needed_bytes(SEVEN, "int4", 3072) < needed_bytes(SEVEN, "int8", 3072)
    # Recorded steps have buffers of 4,096 tokens, in bfloat16 like the contexts.
    more = needed_bytes(SEVEN, "bf16", 3072, captures=True) - needed_bytes(SEVEN, "bf16", 3072)
    assert more == 2 * 28 * 4 * 128 * 2 * 4096


@pytest.mark.parametrize("name", ["gpu", "cuda:", "meta", "cuda"])
def test_a_device_that_is_not_there(name: str) -> None:
    """No such name, or no such device: one sentence each."""
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(BadRequest, match=r"allowed are auto, cpu|no such device"):
        choose_device(name)


def test_int4_fills_with_a_base(tmp_path: Path) -> None:
    """Four bits a weight, rounded close enough that most greedy tokens stay."""
    settings = RuntimeSettings(
        model=str(write_folder("qwen3", tmp_path / "model")), cache_dir=str(tmp_path), device="cpu"
    )
    full, rounded = (
        load_default(msgspec.structs.replace(settings, precision=precision), lambda *_: None)
        for precision in ("fp32", "int4")
    )
    token_ids = full.layout.template.tokenizer.encode("def add(a, b):\n    return a + b\n")
    rows = [
        one.denoiser.model.logits(
            one.denoiser.encode(token_ids, one.denoiser.new_cache()),
            torch.ones(len(token_ids), dtype=torch.bool),
        )
        for one in (full, rounded)
    ]
    assert "int4" in rounded.device_text
    likeness = torch.cosine_similarity(*rows, dim=-1)
    assert likeness.mean() > 0.9
    assert model_of("qwen3").config.num_hidden_layers == 2
