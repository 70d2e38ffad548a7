"""Loading a published folder: what goes wrong is said with the names that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from support import tiny

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.errors import ModelLoadFailed
from model_runtime.models.parts.load import free_bytes, load_family
from model_runtime.models.parts.shards import INDEX_FILE, WEIGHTS_FILE, Shards

if TYPE_CHECKING:
    from model_runtime.models.parts.family import Family


def rows_of(family: Family) -> torch.Tensor:
    """Predict a few positions of a fixed canvas."""
    token_ids = torch.arange(12)
    given = torch.arange(12) < 5
    if family.mask_id is not None:
        token_ids[5:] = family.mask_id
    canvas = Canvas(token_ids, given, family.mask_id)
    return family.predict(canvas, Query(torch.arange(5, 12), 0.7), NoCache()).rows


def write_shards(variant: str, folder: Path, n_shards: int) -> list[Path]:
    """Write a variant in several files with an index, tensors dealt out in turn."""
    tiny.write_checkpoint(variant, folder)
    (folder / WEIGHTS_FILE).unlink()
    tensors = tiny.tensors_of(variant)
    names = [f"model-{index:05}-of-{n_shards:05}.safetensors" for index in range(n_shards)]
    weight_map = {name: names[index % n_shards] for index, name in enumerate(tensors)}
    for file_name in names:
        part = {name: tensors[name] for name, where in weight_map.items() if where == file_name}
        save_file(part, folder / file_name)
    (folder / INDEX_FILE).write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    return [folder / name for name in names]


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_a_family_comes_back_from_its_files(variant: str, tmp_path: Path) -> None:
    """The family is found by the configuration and computes what it did before it was saved."""
    folder = tiny.write_checkpoint(variant, tmp_path)

    family = load_family(folder, dtype=torch.float32)

    assert type(family) is tiny.class_of(variant)
    assert torch.equal(rows_of(family), rows_of(tiny.tiny(variant)))


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    """Tensors spread over several files are found through the index."""
    write_shards("llada2", tmp_path, 3)

    family = load_family(tmp_path, dtype=torch.float32)

    assert torch.equal(rows_of(family), rows_of(tiny.tiny("llada2")))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_are_kept_in_the_dtype_asked_for(dtype: torch.dtype, tmp_path: Path) -> None:
    """Half precision is what the stack then computes in; rows are float32 all the same."""
    family = load_family(tiny.write_checkpoint("sdar", tmp_path), dtype=dtype)

    assert family.dtype == dtype
    assert rows_of(family).dtype == torch.float32


@pytest.mark.parametrize(
    ("variant", "changes", "named"),
    [
        ("llada", {"bidirectional_window": 8}, "bidirectional_window"),
        ("dream", {"rope_scaling": {"type": "yarn"}}, "rope_scaling"),
        ("dream", {"hidden_act": "gelu"}, "hidden_act"),
        ("dream", {"num_hidden_layers": "two"}, "num_hidden_layers"),
        ("dream", {"use_mrope": True}, "use_mrope"),
        ("llada2", {"expert_capacity": 48}, "expert_capacity"),
        ("llada2", {"using_split_qkv_in_self_attention": True}, "using_split_qkv"),
        ("sdar", {"use_sliding_window": True}, "use_sliding_window"),
        ("sdar", {"rope_parameters": {"rope_type": "llama3"}}, "llama3"),
        ("llada2", {"score_function": "softmax"}, "score_function"),
        ("llada_moe", {"n_group": 2}, "n_group"),
        ("mdlm", {"parameterization": "sedd"}, "parameterization"),
        ("sedd", {"model": {"hidden_size": 32, "adapter": 1}}, "model.adapter"),
        ("sedd", {"graph": {"type": "ring"}}, "ring"),
        ("eso", {"algo": {"name": "esolm", "time_conditioning": True}}, "algo.time_conditioning"),
        ("diffusion_gemma", {"text_config": {"recursion": 2}}, "text_config.recursion"),
    ],
)
def test_what_a_configuration_says_and_nobody_knows_is_refused(
    variant: str, changes: dict[str, object], named: str, tmp_path: Path
) -> None:
    """An unknown key or an unsupported value is named: it may change what the model computes."""
    folder = tiny.write_checkpoint(variant, tmp_path, **changes)

    with pytest.raises(ModelLoadFailed, match=named):
        load_family(folder)


@pytest.mark.parametrize("variant", [name for name in tiny.VARIANTS if "-" not in name])
def test_every_family_refuses_an_unknown_key(variant: str, tmp_path: Path) -> None:
    """No family passes over a key that it does not know."""
    folder = tiny.write_checkpoint(variant, tmp_path, unheard_of=1)

    with pytest.raises(ModelLoadFailed, match="unheard_of"):
        load_family(folder)


def test_an_unknown_architecture_is_told_the_known_ones(tmp_path: Path) -> None:
    """The message lists what can be loaded."""
    folder = tiny.write_checkpoint("dream", tmp_path, architectures=["LlamaForCausalLM"])

    with pytest.raises(ModelLoadFailed, match=r"LlamaForCausalLM.*DreamModel.*SDARForCausalLM"):
        load_family(folder)


def test_a_causal_model_is_not_taken_for_a_masked_one(tmp_path: Path) -> None:
    """Open-dCoder is packaged as Qwen2; without a mask token, it is a plain Qwen2."""
    folder = tiny.write_checkpoint("dream-tied", tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["mask_token_id"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    with pytest.raises(ModelLoadFailed, match=r"mask_token_id.*no masked diffusion model"):
        load_family(folder)

    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "mask_token": "<M>",
                "added_tokens_decoder": {"61": {"content": "<M>"}, "60": {"content": "<E>"}},
            }
        ),
        encoding="utf-8",
    )

    assert load_family(folder).mask_id == 61


@pytest.mark.parametrize("token", ["<|mask|>", "<|MASK|>", "|<MASK>|"])
def test_a_mask_is_found_where_nothing_says_what_it_is_for(token: str, tmp_path: Path) -> None:
    """LLaDA2's, SDAR's and Fast-dLLM's tokenizers have a mask and don't call it their mask."""
    config = tiny.config_of("sdar")
    del config["mask_token_id"], config["eos_token_id"]
    folder = tiny.write_checkpoint("sdar", tmp_path)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    added = {"61": {"content": token}, "60": {"content": "<E>"}}
    words = {"eos_token": "<E>", "added_tokens_decoder": added}
    (folder / "tokenizer_config.json").write_text(json.dumps(words), encoding="utf-8")

    family = load_family(folder)

    assert (family.mask_id, family.eos_id) == (61, 60)


def test_a_tied_head_may_be_stored_beside_the_embedding(tmp_path: Path) -> None:
    """Models of dllm are: it is not asked for, and not left over."""
    folder = tiny.write_checkpoint("dream-a2d_qwen2", tmp_path)
    tensors = tiny.tensors_of("dream-a2d_qwen2")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / WEIGHTS_FILE)

    assert torch.equal(
        rows_of(load_family(folder, dtype=torch.float32)), rows_of(tiny.tiny("dream-a2d_qwen2"))
    )


def test_dreamon_names_its_tokens_for_generation(tmp_path: Path) -> None:
    """The tokens that change the length may stand in the generation configuration."""
    folder = tiny.write_checkpoint("dream", tmp_path)
    (folder / "generation_config.json").write_text(
        json.dumps({"expand_token_id": 59, "delete_token_id": 60}), encoding="utf-8"
    )

    family = load_family(folder)

    assert (family.expand_id, family.delete_id) == (59, 60)


def test_a_renamed_tensor_is_missing_and_left_over(tmp_path: Path) -> None:
    """Both names are told, before any weight is read."""
    folder = tiny.write_checkpoint("dream", tmp_path)
    tensors = tiny.tensors_of("dream")
    tensors["model.layers.1.mlp.gate.weight"] = tensors.pop("model.layers.1.mlp.gate_proj.weight")
    save_file(tensors, folder / WEIGHTS_FILE)

    with pytest.raises(ModelLoadFailed) as caught:
        load_family(folder)

    assert "missing tensors: model.layers.1.mlp.gate_proj.weight" in str(caught.value)
    assert "unexpected tensors: model.layers.1.mlp.gate.weight" in str(caught.value)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    """A configuration that does not fit its weights is found out before they are read."""
    folder = tiny.write_checkpoint("llada", tmp_path, embedding_size=128)

    with pytest.raises(ModelLoadFailed, match=r"wte.weight is \[64, 32\], not \[128, 32\]"):
        load_family(folder)


def test_what_can_be_computed_may_be_stored(tmp_path: Path) -> None:
    """Buffers of rotary frequencies, and a tied head stored twice, are no surprise."""
    folder = tiny.write_checkpoint("dream-tied", tmp_path)
    tensors = tiny.tensors_of("dream-tied")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)
    save_file(tensors, folder / WEIGHTS_FILE)

    family = load_family(folder, dtype=torch.float32)

    assert torch.equal(rows_of(family), rows_of(tiny.tiny("dream-tied")))


def test_a_truncated_shard_is_named(tmp_path: Path) -> None:
    """A download that broke off is not half a model."""
    _, shard, _ = write_shards("sdar", tmp_path, 3)
    shard.write_bytes(shard.read_bytes()[:-100])

    with pytest.raises(ModelLoadFailed, match=rf"{shard.name} is missing, cut short or damaged"):
        load_family(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """The index promises a file that is not there."""
    *_, shard = write_shards("sdar", tmp_path, 3)
    shard.unlink()

    with pytest.raises(ModelLoadFailed, match=shard.name):
        load_family(tmp_path)


def test_a_shard_of_another_version_is_named(tmp_path: Path) -> None:
    """A file that does not hold what the index says comes from elsewhere."""
    first, second = write_shards("sdar", tmp_path, 2)
    second.write_bytes(first.read_bytes())

    with pytest.raises(ModelLoadFailed, match=rf"{second.name} is not what {INDEX_FILE} says"):
        load_family(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_broken_configuration_is_named(text: str, tmp_path: Path) -> None:
    """A file that is no JSON object can't be read."""
    (tmp_path / "config.json").write_text(text, encoding="utf-8")

    with pytest.raises(ModelLoadFailed, match=r"config\.json"):
        load_family(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """The file that is missing is named."""
    (tiny.write_checkpoint("dream", tmp_path) / WEIGHTS_FILE).unlink()

    with pytest.raises(ModelLoadFailed, match=WEIGHTS_FILE):
        load_family(tmp_path)


def test_a_model_too_large_is_refused_with_what_would_help(tmp_path: Path) -> None:
    """What it needs and what there is are told; fewer bits for the weights make it fit."""
    folder = tiny.write_checkpoint("llada", tmp_path)
    n_bytes = sum(2 * tensor.numel() for tensor in tiny.tensors_of("llada").values())

    with pytest.raises(ModelLoadFailed, match=r"GiB free.*int8 or int4"):
        load_family(folder, n_free_bytes=n_bytes)

    assert load_family(folder, n_free_bytes=2 * n_bytes).dtype == torch.bfloat16


def test_free_memory_is_known_here() -> None:
    """Where the tests run, the check against the device's memory has something to check."""
    free = free_bytes(torch.device("cpu"))

    assert free is None or free > 0


def test_one_shard_is_open_at_a_time(tmp_path: Path) -> None:
    """However many shards there are, no more than one is mapped into memory."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not tell what is mapped")
    write_shards("llada2", tmp_path, 4)
    shards = Shards(tmp_path, torch.device("cpu"), torch.float16)

    for name, tensor in tiny.tensors_of("llada2").items():
        shards.tensor(name, *tensor.shape)
        mapped = {
            line.split()[-1] for line in maps.read_text().splitlines() if str(tmp_path) in line
        }
        assert len(mapped) <= 1


@pytest.mark.parametrize(("bits", "off"), [(8, 0.05), (4, 0.5)])
@pytest.mark.parametrize("variant", ["dream", "llada2"])
def test_rounded_weights_answer_nearly_alike(
    variant: str, bits: int, off: float, tmp_path: Path
) -> None:
    """int8 and int4 weights lose little, and the head and the router are left alone."""
    pytest.importorskip("torchao")
    folder = tiny.write_checkpoint(variant, tmp_path)
    exact = rows_of(tiny.tiny(variant))

    rounded = rows_of(load_family(folder, dtype=torch.float32, weight_bits=bits))

    error = (rounded - exact).std() / exact.std()
    assert 0 < error < off
