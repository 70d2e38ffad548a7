"""`remask train-data`: fetch the packages of the list and make the training corpus of them."""

from __future__ import annotations

import gzip
import hashlib
import logging
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import BadRequest, RuntimeFault
from model_runtime.training import filters
from model_runtime.training.data import (
    DOCUMENTS_NAME,
    MANIFEST_NAME,
    Document,
    Manifest,
    Share,
    split_of,
)
from model_runtime.training.packages import (
    Package,
    fetch,
    prepare_debian,
    read_members,
    read_packages,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

#: A held-out file may share at most this share of its long lines with the training files.
MAX_SHARED_LINES = 0.25
_LONG_LINE_CHARS = 30
_N_FETCHES_AT_ONCE = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, help="where the corpus goes")
    parser.add_argument(
        "--benchmark",
        type=Path,
        action="append",
        required=True,
        help="a HumanEval-Infilling file (.jsonl.gz) to keep out; may be given several times",
    )
    parser.add_argument("--packages", type=Path, help="another package list than the shipped one")
    parser.add_argument("--downloads", type=Path, help="where archives are kept between runs")
    parser.add_argument("--allow-missing", action="store_true", help="go on without packages")


def main(arguments: argparse.Namespace) -> int:
    """Make the corpus, say what came of it, return the exit status."""
    try:
        manifest = gather(
            arguments.folder,
            benchmarks=arguments.benchmark,
            downloads=arguments.downloads,
            packages=arguments.packages,
            allow_missing=arguments.allow_missing,
        )
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    told = {"bytes": manifest.n_bytes, "left out": manifest.left_out, "missing": manifest.missing}
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in told.items()))
    return 0


def gather(
    out_dir: Path,
    *,
    benchmarks: Iterable[Path],
    downloads: Path | None = None,
    packages: Path | None = None,
    allow_missing: bool = False,
) -> Manifest:
    """Build the corpus in `out_dir` and return its manifest.

    Args:
        out_dir: Made if need be; files of an earlier run are replaced.
        benchmarks: HumanEval-Infilling files; what shares a run of words with them is left out.
        downloads: Where archives are kept between runs; `out_dir / "downloads"` by default.
        packages: Another package list than the shipped one.
        allow_missing: Go on without packages that can't be fetched; they stand in the manifest.

    Raises:
        BadRequest: a package can't be fetched, unless `allow_missing`.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    downloads = downloads or out_dir / "downloads"
    chosen = read_packages(packages)
    benchmark = filters.Benchmark.read(benchmarks)
    archives, missing = _fetch_all(chosen, downloads)
    if missing and not allow_missing:
        raise BadRequest("; ".join(missing))

    left_out: Counter[str] = Counter()
    seen: set[bytes] = set()
    documents = [
        document
        for package in chosen
        if package in archives
        for document in _take(package, archives[package], benchmark, seen, left_out)
    ]
    documents = sorted(_without_shared(documents, left_out), key=_random_rank)
    digest = _write(documents, out_dir / DOCUMENTS_NAME)
    manifest = _describe(chosen, documents, left_out, digest, missing)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (out_dir / MANIFEST_NAME).write_bytes(text + b"\n")
    return manifest


def _fetch_all(
    packages: list[Package], downloads: Path
) -> tuple[dict[Package, list[Path]], list[str]]:
    """Fetch every package, a few at once; return the archives, and a sentence for each failure."""
    downloads.mkdir(parents=True, exist_ok=True)
    if any(package.registry.startswith("debian") for package in packages):
        prepare_debian(downloads)

    def attempt(package: Package) -> list[Path] | str:
        try:
            return fetch(package, downloads)
        except BadRequest as fault:
            log.warning("%s", fault)
            return str(fault)

    with ThreadPoolExecutor(_N_FETCHES_AT_ONCE) as pool:
        outcomes = list(pool.map(attempt, packages))
    pairs = list(zip(packages, outcomes, strict=True))
    archives = {package: got for package, got in pairs if not isinstance(got, str)}
    return archives, [got for _, got in pairs if isinstance(got, str)]


def _take(
    package: Package,
    archives: list[Path],
    benchmark: filters.Benchmark,
    seen: set[bytes],
    left_out: Counter[str],
) -> Iterator[Document]:
    """Yield a package's fit files in a random but fixed order, up to its share of bytes."""
    members = [
        (path, content)
        for archive in archives
        for path, content in read_members(archive)
        if filters.language_of(path) and _below(path, package.paths)
    ]
    members.sort(key=lambda member: hashlib.sha256(member[0].encode()).digest())
    room = package.max_bytes
    for path, content in members:
        if room <= 0:
            return
        text = filters.decode(content)
        reason = filters.refuse_path(path)
        if reason is None:
            reason = "encoding" if text is None else filters.refuse_text(text)
        digest = hashlib.sha256(content).digest()
        if reason is None and digest in seen:
            reason = "overlap"
        if reason is None and text is not None and benchmark.overlaps(text):
            reason = "benchmark"
        if reason is not None or text is None:
            left_out[reason or "encoding"] += 1
            continue
        seen.add(digest)
        room -= len(content)
        yield Document(
            registry=package.registry,
            package=package.name,
            version=package.version,
            licence=package.licence,
            language=filters.language_of(path) or "",
            path=path,
            split=split_of(package.name),
            text=text,
        )


def _random_rank(document: Document) -> bytes:
    """Order documents at random, but the same way each time; so any stretch is a fair sample."""
    name = f"{document.registry}/{document.package}/{document.path}"
    return hashlib.sha256(name.encode()).digest()


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return not folders or any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _without_shared(documents: list[Document], left_out: Counter[str]) -> Iterator[Document]:
    """Drop held-out documents that stand, in good part, in a training document."""
    trained = {line for d in documents if d.split == "train" for line in _long_lines(d.text)}
    for document in documents:
        lines = _long_lines(document.text) if document.split == "heldout" else []
        n_shared = sum(line in trained for line in lines)
        if n_shared > MAX_SHARED_LINES * len(lines):
            left_out["overlap"] += 1
        else:
            yield document


def _long_lines(text: str) -> list[int]:
    lines = (line.strip() for line in text.split("\n"))
    return [hash(line) for line in lines if len(line) >= _LONG_LINE_CHARS]


def _write(documents: list[Document], path: Path) -> str:
    """Write JSON lines, the same bytes for the same documents; return their SHA-256."""
    digest = hashlib.sha256()
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as out:
        for document in documents:
            line = msgspec.json.encode(document) + b"\n"
            digest.update(line)
            out.write(line)
    partial.replace(path)
    return digest.hexdigest()


def _describe(
    packages: list[Package],
    documents: list[Document],
    left_out: Counter[str],
    digest: str,
    missing: list[str],
) -> Manifest:
    sizes: dict[tuple[str, str], list[int]] = {(p.registry, p.name): [] for p in packages}
    n_bytes: dict[str, Counter[str]] = {"train": Counter(), "heldout": Counter()}
    for document in documents:
        size = len(document.text.encode())
        sizes[document.registry, document.package].append(size)
        n_bytes[document.split][document.language] += size
    shares = [
        Share(
            registry=package.registry,
            package=package.name,
            version=package.version,
            licence=package.licence,
            split=split_of(package.name),
            n_files=len(sizes[package.registry, package.name]),
            n_bytes=sum(sizes[package.registry, package.name]),
        )
        for package in packages
    ]
    return Manifest(
        shares=shares,
        n_bytes={split: dict(by_language) for split, by_language in n_bytes.items()},
        left_out=dict(left_out),
        sha256=digest,
        missing=missing,
    )
