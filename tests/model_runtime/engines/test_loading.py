"""Bringing the default model up, from files that may not be what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.tiny_gguf import write_gguf

from model_runtime.engines import loading
from model_runtime.engines.loading import load_default
from model_runtime.errors import ModelLoadFailed
from model_runtime.settings import RuntimeSettings
from model_runtime.weights.catalog import CATALOG
from model_runtime.weights.convert import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from pathlib import Path


class Tiny:
    """A small default model in a cache folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notices: list[str] = []

    def load(self, model: str = "tiny") -> None:
        """Load it, keeping what the user is told."""
        settings = RuntimeSettings(model=model, cache_dir=str(self.folder), device="cpu")
        self.notices.clear()
        load_default(settings, lambda text, _share: self.notices.append(text))

    @property
    def converted(self) -> Path:
        """The folder of the converted form."""
        (found,) = (path for path in self.folder.iterdir() if path.is_dir())
        return found

    @property
    def was_prepared(self) -> bool:
        """Whether the last load converted it."""
        return any(text.startswith("Preparing") for text in self.notices)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The model, in the catalog; the shipped adapter is for another base."""
    monkeypatch.setitem(CATALOG, "tiny", write_gguf(tmp_path / "tiny.gguf"))
    monkeypatch.setattr(loading, "ADAPTER_PATH", tmp_path / "none")
    return Tiny(tmp_path)


def test_a_model_is_converted_once(tiny: Tiny) -> None:
    """The second start finds what the first one made."""
    tiny.load()
    assert tiny.was_prepared
    tiny.load()
    assert not tiny.was_prepared


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE])
@pytest.mark.parametrize("damage", [b"", b"\x00" * 100], ids=["empty", "zeros"])
def test_a_corrupt_cache_is_made_again(tiny: Tiny, name: str, damage: bytes) -> None:
    """A power cut may leave a file empty or full of zeros; nobody has to know where it lies."""
    tiny.load()
    (tiny.converted / name).write_bytes(damage)
    tiny.load()

    assert tiny.was_prepared


def test_a_file_that_is_no_model_is_told(tmp_path: Path, tiny: Tiny) -> None:
    """Converting again would not help."""
    (tmp_path / "other.gguf").write_bytes(b"GGUF" + b"\x00" * 100)

    with pytest.raises(ModelLoadFailed, match=r"other\.gguf is not a GGUF file"):
        tiny.load(str(tmp_path / "other.gguf"))
