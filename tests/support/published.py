"""Checkpoints as published, without their weights: `tests/model_runtime/models/published.toml`.

What is written is a folder as from the hub, whose weights are a hole in the file: the header says
names, shapes and places, and nothing is kept behind it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "model_runtime" / "models" / "published.toml"
_RUN = re.compile(r"\[(\d+)-(\d+)\]")
#: A file is closed behind so many bytes, as the hub's are.
_SHARD = 4 * 10**9
_N_BYTES = {"BF16": 2, "F32": 4}


@dataclass(frozen=True)
class Facts:
    """One checkpoint's."""

    repository: str
    #: File name in `models/`.
    family: str
    config: dict[str, Any]
    #: Shape and dtype, as safetensors call it.
    tensors: dict[str, tuple[list[int], str]]
    #: What the tokenizer's files say: what is which, and ids.
    special_tokens: dict[str, str]
    added_tokens: dict[str, int]
    #: Where they are known: a model's parameters; the numbers and tensors that are stored.
    n_parameters: int | None
    n_stored: int | None
    n_tensors: int | None

    @property
    def is_tied(self) -> bool:
        """Whether the head is the embedding."""
        return bool(self.config.get("tie_word_embeddings", self.config.get("weight_tying")))

    @property
    def used(self) -> dict[str, tuple[list[int], str]]:
        """The tensors that make the model: a tied head that is stored again is left out."""
        twin = "lm_head.weight" if self.is_tied else ""
        return {name: found for name, found in self.tensors.items() if name != twin}

    def write(self, folder: Path) -> Path:
        """Write the folder; it takes no room on a disk with holes in files."""
        (folder / "config.json").write_text(json.dumps(self.config), encoding="utf-8")
        added = {str(index): {"content": token} for token, index in self.added_tokens.items()}
        tokens = {"tokenizer_config": {"added_tokens_decoder": added}}
        tokens["special_tokens_map"] = dict(self.special_tokens)
        for name, values in tokens.items():
            (folder / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
        shards: list[dict[str, dict[str, Any]]] = [{}]
        end = 0
        for name, (shape, dtype) in self.tensors.items():
            if end > _SHARD:
                shards.append({})
                end = 0
            start, end = end, end + math.prod(shape) * _N_BYTES[dtype]
            shards[-1][name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        weight_map = {}
        for index, shard in enumerate(shards, 1):
            file_name = f"model-{index:05}-of-{len(shards):05}.safetensors"
            _write_shard(folder / file_name, shard)
            weight_map |= dict.fromkeys(shard, file_name)
        index_file = folder / "model.safetensors.index.json"
        index_file.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
        return folder


def _write_shard(path: Path, header: dict[str, dict[str, Any]]) -> None:
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    n_bytes = max(found["data_offsets"][1] for found in header.values())
    with path.open("wb") as file:
        file.write(len(words).to_bytes(8, "little") + words)
        file.truncate(8 + len(words) + n_bytes)


def read_facts() -> dict[str, Facts]:
    """Return what is known, by repository."""
    raw = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    found: dict[str, Facts] = {}
    whole: dict[str, dict[str, Any]] = {}
    for repository, own in raw.items():
        values = _completed(own, whole)
        whole[repository] = values
        dtypes = _expanded(values.get("dtypes", {}))
        found[repository] = Facts(
            repository=repository,
            family=values["family"],
            config={key: None if one == "null" else one for key, one in values["config"].items()},
            tensors={
                name: (shape, dtypes.get(name, "BF16"))
                for name, shape in _expanded(values["tensors"]).items()
            },
            special_tokens=values.get("special_tokens", {}),
            added_tokens=values.get("added_tokens", {}),
            n_parameters=values.get("n_parameters"),
            n_stored=values.get("n_stored"),
            n_tensors=own.get("n_tensors"),
        )
    return found


def _completed(own: dict[str, Any], whole: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Add what a checkpoint has in common with the one that it is like."""
    if "like" not in own:
        return own
    other = whole[own["like"]]
    config = {**other["config"], **own.get("config", {})}
    for key in own.get("without", ()):
        del config[key]
    tensors = own.get("tensors", {})
    if not own.get("whole_tensors"):
        tensors = {**other["tensors"], **tensors}
    return {**other, **own, "config": config, "tensors": tensors}


def _expanded(named: dict[str, Any]) -> dict[str, Any]:
    """Spell the runs in names out."""
    found = {}
    for pattern, value in named.items():
        pieces = _RUN.split(pattern)
        runs = [range(int(a), int(b) + 1) for a, b in zip(pieces[1::3], pieces[2::3], strict=True)]
        for numbers in itertools.product(*runs):
            between = [*map(str, numbers), ""]
            name = "".join(a + b for a, b in zip(pieces[::3], between, strict=True))
            found[name] = value
    return found
