"""`remask pull`, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.tiny import write_checkpoint

from model_runtime.models import MODELS
from model_runtime.weights.catalog import BASES, CATALOG, DEFAULT_MODEL
from model_runtime.weights.published import RECOMMENDED

if TYPE_CHECKING:
    from pathlib import Path


def pull(cache: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a cache of its own."""
    return subprocess.run(
        [sys.executable, "-m", "model_runtime", "pull", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "REMASK_CACHE_DIR": str(cache), **variables},
    )


def test_wrong_copy(tmp_path: Path) -> None:
    """A copy that is not the model is refused in one line, and is left where it is."""
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(b"GGUF")
    said = pull(tmp_path / "cache", "--from", str(copy))

    assert said.returncode == 1
    assert "it ended after 4 of 491,400,064 bytes" in said.stderr.splitlines()[-1]
    assert copy.read_bytes() == b"GGUF"


def test_unknown_model(tmp_path: Path) -> None:
    """An unknown name is refused with the known ones."""
    said = pull(tmp_path, "qwen")

    assert said.returncode == 1
    assert said.stderr == f"unknown model 'qwen'; allowed: {', '.join(sorted(CATALOG | BASES))}\n"


@pytest.mark.real_model
def test_default_model_can_be_had(tmp_path: Path) -> None:
    """The default model comes from one of its real sources, into an empty cache."""
    said = pull(tmp_path)

    assert said.returncode == 0, said.stderr
    path = tmp_path / CATALOG[DEFAULT_MODEL].file
    assert said.stdout.strip() == str(path)
    assert path.stat().st_size == CATALOG[DEFAULT_MODEL].n_bytes
    assert "verified, licence Apache-2.0" in said.stderr
    path.unlink()


def test_a_folder_is_checked_by_its_family(tmp_path: Path) -> None:
    """What is whole is said to be, with how to use it."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_checkpoint("llada", folder)
    said = pull(tmp_path / "cache", str(folder))

    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == str(folder)
    assert "whole, family llada" in said.stderr
    assert "REMASK_ENGINE=published" in said.stderr


def test_a_model_of_blocks_that_calls_itself_a_llama_is_none(tmp_path: Path) -> None:
    """Stable-DiffCoder's configuration says llama; its own code tells it from a base."""
    folder = tmp_path / "model"
    folder.mkdir()
    code = {"AutoModelForCausalLM": "modeling_stable_diffcoder.StableDiffcoderForCausalLM"}
    write_checkpoint("sdar-stable_diffcoder", folder, model_type="llama", auto_map=code)
    said = pull(tmp_path / "cache", str(folder))

    assert "whole, family sdar" in said.stderr


def test_a_damaged_folder_is_refused_by_name(tmp_path: Path) -> None:
    """The message names what is wrong."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_checkpoint("llada", folder, n_layers=3)
    said = pull(tmp_path / "cache", str(folder))

    assert said.returncode == 1
    assert "missing tensors" in said.stderr
    assert "model.transformer.blocks.2" in said.stderr


def test_a_repository_that_can_not_be_had(tmp_path: Path) -> None:
    """One line says so; nothing is left that looks like a model."""
    said = pull(tmp_path / "cache", "someone/something", HF_ENDPOINT="http://127.0.0.1:9")

    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith("someone/something can't be fetched")
    assert not list(tmp_path.glob("cache/published/*/config.json"))


def test_the_models_worth_having_are_listed(tmp_path: Path) -> None:
    """With size, licence, length and what each is good at; every family named is one."""
    said = pull(tmp_path / "cache", "--list")

    assert DEFAULT_MODEL in said.stdout
    for one in RECOMMENDED:
        assert one.family in MODELS.names()
        line = next(line for line in said.stdout.splitlines() if line.startswith(one.repository))
        assert one.licence in line
        assert one.good_at in line
