"""Published checkpoints: which are worth having, and how one comes onto this machine.

Only safetensors, JSON and the tokenizer's text files are fetched: no pickle, and no code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model_runtime.errors import BadRequest, ModelLoadFailed
from model_runtime.models.parts.config import read_json
from model_runtime.weights.base import ARCHITECTURES

TOKENIZER_FILE = "tokenizer.json"
#: What a checkpoint is made of.
PATTERNS = ("*.json", "*.safetensors", "merges.txt", "vocab.txt")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Published:
    """A checkpoint that a family here loads. Facts as its authors publish them."""

    repository: str
    #: File name in `models/`.
    family: str
    #: Parameters, for people, e.g. "7.6B"; two bytes each in bfloat16.
    size: str
    licence: str
    #: Tokens.
    context: int
    good_at: str


RECOMMENDED = (
    Published("Dream-org/DreamOn-v0-7B", "dream", "7.6B", "Apache-2.0", 2048,
              "code infill of open length: 90.8 pass@1 on HumanEval single-line"),
    Published("Dream-org/Dream-Coder-v0-Instruct-7B", "dream", "7.6B", "Apache-2.0", 2048,
              "code; infill where the length is found"),
    Published("GSAI-ML/LLaDA-8B-Instruct", "llada", "8B", "MIT", 4096,
              "text and code, the reference of masked diffusion"),
    Published("fredzzp/open-dcoder-0.5B", "dream", "0.5B", "see its page", 2048,
              "code on small machines"),
)  # fmt: skip


def local_folder(name: str, cache: Path) -> Path:
    """Return where a checkpoint stands on this machine.

    Args:
        name: a folder, or a repository "owner/name".
        cache: where models are kept.

    Raises:
        ModelLoadFailed: it is not here; the message says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    kept = _kept(name, cache)
    if not (kept / "config.json").is_file():
        raise ModelLoadFailed(f"{name} is not on this machine; fetch it with: remask pull {name}")
    return kept


def is_diffusion(folder: Path) -> bool:
    """Whether a folder's model is none of the bases, by what its `config.json` says."""
    values = read_json(folder / "config.json")
    # Stable-DiffCoder calls itself a Llama: code of its own tells it from one.
    return values.get("model_type") not in ARCHITECTURES or "auto_map" in values


def has_chat(folder: Path) -> bool:
    """Whether a checkpoint was trained to be asked in words: it publishes a chat template."""
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))


def pull_repository(name: str, cache: Path, patterns: tuple[str, ...] = PATTERNS) -> Path:
    """Fetch a repository, going on where an earlier fetch stopped; return its folder.

    Args:
        name: owner/name.
        cache: where models are kept.
        patterns: of its files, which to fetch.

    Raises:
        BadRequest: the name is no repository's.
        ModelLoadFailed: it can't be had.
    """
    folder = _kept(name, cache)
    # Slow to import, and needed here alone.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    try:
        snapshot_download(name, local_dir=folder, allow_patterns=list(patterns))
    except (HfHubHTTPError, OSError) as error:
        words = str(error).splitlines()[0]
        raise ModelLoadFailed(f"{name} can't be fetched from the hub: {words}") from error
    return folder


def _kept(name: str, cache: Path) -> Path:
    if not _REPOSITORY.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no model: give a name of the catalog, a folder, or a repository "
            "like owner/name"
        )
    return cache / "published" / name.replace("/", "--")
