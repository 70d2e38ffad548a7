"""The training corpus on disk: source files of many packages in one compressed file.

    documents.jsonl.gz   one `Document` a line, in a random but fixed order
    manifest.json        a `Manifest`: what was taken from where, under which licence, what was left

A package is held out from training, whole, by the hash of its name; so a held-out file never has
a sibling in training, and a package added later moves no other. `gather` writes the two files.
"""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

from model_runtime.training.packages import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Split = Literal["train", "heldout"]

DOCUMENTS_NAME = "documents.jsonl.gz"
MANIFEST_NAME = "manifest.json"
#: Percent of the packages held out.
HELDOUT_PERCENT = 12


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One source file."""

    registry: Registry
    package: str
    version: str
    licence: str
    language: str
    #: Inside the package, with "/".
    path: str
    split: Split
    text: str


class Share(msgspec.Struct, kw_only=True):
    """What one package gave."""

    registry: Registry
    package: str
    version: str
    licence: str
    split: Split
    n_files: int
    #: UTF-8 bytes of text.
    n_bytes: int


class Manifest(msgspec.Struct, kw_only=True):
    """Where a corpus comes from."""

    shares: list[Share]
    #: Bytes by split and language.
    n_bytes: dict[str, dict[str, int]]
    #: Files left out, by reason (`filters.Reason`).
    left_out: dict[str, int]
    #: SHA-256 of the uncompressed documents: the identity of the corpus.
    sha256: str
    #: Packages that could not be had, with the reason.
    missing: list[str]


def split_of(package: str) -> Split:
    """Say on which side a package stands; its name alone decides."""
    digest = hashlib.sha256(package.encode()).digest()
    return "heldout" if int.from_bytes(digest[:4], "big") % 100 < HELDOUT_PERCENT else "train"


def read_documents(path: Path, split: Split) -> Iterator[Document]:
    """Yield one side's documents, from `documents.jsonl.gz` or the folder that holds it."""
    decoder = msgspec.json.Decoder(Document)
    with gzip.open(path / DOCUMENTS_NAME if path.is_dir() else path, "rb") as lines:
        for line in lines:
            document = decoder.decode(line)
            if document.split == split:
                yield document
