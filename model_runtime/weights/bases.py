"""Which file a model's name means: a base that fills, from the catalog, the hub or this disk.

    NAME                  of the catalog
    OWNER/NAME            a repository of the hub: its only GGUF file, or the Q8_0 of several, or
                          its safetensors files
    OWNER/NAME:FILE.gguf  one file of a repository
    PATH                  a GGUF file, or a folder with one, or with safetensors files

What comes from the hub is compared with the SHA-256 that the hub says, which is remembered: a start
needs no network, and a file that is changed there later is noticed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from model_runtime.errors import ModelLoadFailed, UnknownName
from model_runtime.weights.catalog import BASES, CATALOG, HubFile, NamedModel
from model_runtime.weights.fetch import ensure, ensure_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.weights.fetch import OnProgress

#: Seconds the hub has to say what a repository holds.
_ANSWER_S = 10.0
_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?::([\w./-]+\.gguf))?")
#: What else a folder of safetensors is read with.
_SMALL_FILES = ("config.json", "tokenizer.json")
#: What the hub said of a repository's files, beside them.
ORIGIN_FILE = "origin.json"


class Base(NamedTuple):
    """A base model on this machine."""

    #: A GGUF file or a folder.
    source: Path
    #: In hex; what tells it from another one. The SHA-256 of what was downloaded; of the user's own
    #: files only when they were last changed, for to read them all at every start takes long.
    digest: str
    #: Where its converted forms are.
    kept_in: Path


class OriginFile(msgspec.Struct, frozen=True):
    """What the hub said of one file."""

    sha256: str
    n_bytes: int


class Origin(msgspec.Struct, frozen=True):
    """What the hub said when files were fetched first."""

    repository: str
    revision: str
    files: dict[str, OriginFile]


@dataclass(frozen=True)
class _Listing:
    """What the hub says of a repository now."""

    revision: str
    #: Files that are kept by digest.
    large: dict[str, OriginFile]
    names: frozenset[str]


def find_base(name: str, cache: Path, on_progress: OnProgress = lambda _done, _all: None) -> Base:
    """Return the base that a name means, downloading it first if it is not here.

    Args:
        name: see the module.
        cache: where models are kept.
        on_progress: told how far a download has come.

    Raises:
        UnknownName: it is none of these; the message lists the catalog's names.
        ModelLoadFailed: it can't be had; one sentence says what to do.
    """
    if name in CATALOG:
        return Base(ensure(name, on_progress, folder=cache), CATALOG[name].sha256, cache)
    path = Path(name).expanduser()
    if path.exists():
        return _own(path, cache)
    if _is_path(name):
        raise ModelLoadFailed(f"{name}: there is no such file or folder")
    address = address_of(name)
    if address is None:
        raise UnknownName("model", name, (*CATALOG, *BASES))
    repository, file = address
    folder = folder_of(repository, cache)
    origin = read_origin(folder)
    if origin is None or (file is not None and file not in origin.files):
        origin = _first_seen(repository, file, folder, origin)
    chosen = file or _chosen(origin, name)
    return _fetched(origin, chosen, folder, on_progress)


def _is_path(name: str) -> bool:
    """Whether a name can only mean a place on this disk."""
    is_file = ":" not in name and name.lower().endswith((".gguf", ".safetensors"))
    return is_file or "\\" in name or name.startswith(("/", "~", "."))


def address_of(name: str) -> tuple[str, str | None] | None:
    """Return the repository and the file that a name means at the hub, or None."""
    if name in BASES:
        return BASES[name].repository, BASES[name].file
    found = _REPOSITORY.fullmatch(name)
    return None if found is None else (found[1], found[2])


def folder_of(repository: str, cache: Path) -> Path:
    """Return where a repository's files are kept."""
    return cache / "published" / repository.replace("/", "--")


def read_origin(folder: Path) -> Origin | None:
    """Return what the hub said of a folder's files; None where they did not come from there."""
    try:
        return msgspec.json.decode((folder / ORIGIN_FILE).read_bytes(), type=Origin)
    except (OSError, msgspec.MsgspecError):
        return None


def changed_files(name: str, cache: Path) -> list[str]:
    """Return which of the files that are here are other ones at the hub by now.

    Raises:
        ModelLoadFailed: the hub does not answer.
    """
    address = address_of(name)
    if address is None:
        return []
    folder = folder_of(address[0], cache)
    origin = read_origin(folder)
    here = {} if origin is None else _here(origin, folder)
    if origin is None or not here:
        return []
    now = _ask_hub(origin.repository).large
    return [file for file, was in here.items() if now.get(file) != was]


def _here(origin: Origin, folder: Path) -> dict[str, OriginFile]:
    """Return what the hub said of those files that are on this disk."""
    return {file: was for file, was in origin.files.items() if (folder / file).is_file()}


def _own(path: Path, cache: Path) -> Base:
    """Return a base of the user's own disk."""
    if path.suffix == ".safetensors":
        raise ModelLoadFailed(
            f"{path.name} is one file of a model; give the folder that it is in, which has the"
            " configuration and the tokenizer as well"
        )
    if path.is_dir() and not list(path.glob("*.safetensors")):
        files = sorted(path.glob("*.gguf"))
        if len(files) != 1:
            found = ", ".join(file.name for file in files[:4]) or "none"
            raise ModelLoadFailed(
                f"{path} should hold safetensors files or one GGUF file; it has: {found}"
            )
        path = files[0]
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(part.name, part.stat()) for part in parts if part.is_file()]
    seen = [(name, found.st_size, found.st_mtime_ns) for name, found in stats]
    return Base(path, _digest_of((str(path.resolve()), seen)), cache / "own")


def _first_seen(repository: str, file: str | None, folder: Path, known: Origin | None) -> Origin:
    """Ask the hub what a repository holds, and remember it; what is here already stays."""
    now = _ask_hub(repository)
    if file is not None and file not in now.large:
        ggufs = sorted(name for name in now.large if name.endswith(".gguf"))
        raise ModelLoadFailed(
            f"{repository} has no file {file!r} at the hub; it has: {', '.join(ggufs) or 'no GGUF'}"
        )
    # What is not here yet will be that of the new revision.
    kept = {} if known is None else _here(known, folder)
    origin = Origin(repository, now.revision, now.large | kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ORIGIN_FILE).write_bytes(msgspec.json.encode(origin))
    except OSError as error:
        raise ModelLoadFailed(f"{folder} can't be written: {error.strerror}") from error
    return origin


def _ask_hub(repository: str) -> _Listing:
    # Slow to import, and needed for a first fetch alone.
    from huggingface_hub import HfApi  # noqa: PLC0415

    try:
        info: Any = HfApi().model_info(repository, files_metadata=True, timeout=_ANSWER_S)
    except Exception as error:
        # Its exceptions are those of the HTTP library that the hub's version happens to use.
        words = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelLoadFailed(
            f"{repository} is not on this machine, and the hub can't be asked for it ({words}):"
            " connect to the internet, or give a file or a folder"
        ) from error
    files = list(info.siblings or ())
    large = {
        file.rfilename: OriginFile(file.lfs.sha256, file.lfs.size)
        for file in files
        if file.lfs and _stays_inside(file.rfilename)
    }
    return _Listing(info.sha, large, frozenset(file.rfilename for file in files))


def _stays_inside(file: str) -> bool:
    """Whether a name that the hub says leads nowhere but into the repository's folder."""
    parts = PureWindowsPath(file)
    return not parts.anchor and ".." not in parts.parts


def _chosen(origin: Origin, name: str) -> str | None:
    """Return the GGUF file to take of a repository; None for its safetensors files."""
    ggufs = sorted(file for file in origin.files if file.endswith(".gguf"))
    best = [file for file in ggufs if "q8_0" in file.lower() and "-of-" not in file]
    if len(ggufs) == 1 or len(best) == 1:
        return (best or ggufs)[0]
    if any(_is_whole_weights(file) for file in origin.files):
        return None
    raise ModelLoadFailed(
        f"{name} has several files; say which, like {name}:{ggufs[0]}; it has: {', '.join(ggufs)}"
        if ggufs
        else f"{name} has neither GGUF nor safetensors files, and nothing else is read"
    )


def _is_whole_weights(file: str) -> bool:
    """Whether a file is of the repository's own weights; a folder holds them in another form."""
    return file.endswith(".safetensors") and "/" not in file


def _fetched(origin: Origin, chosen: str | None, folder: Path, on_progress: OnProgress) -> Base:
    """Bring what is missing of a base from the hub."""
    if chosen is not None:
        path = _ensure_file(origin, chosen, folder, on_progress)
        return Base(path, origin.files[chosen].sha256, folder)
    wanted = [file for file in sorted(origin.files) if _is_whole_weights(file)]
    n_all = sum(origin.files[file].n_bytes for file in wanted)
    n_before = 0

    def on_part(start: int) -> Callable[[int, int], None]:
        return lambda n_done, _: on_progress(start + n_done, n_all)

    for file in wanted:
        _ensure_file(origin, file, folder, on_part(n_before))
        n_before += origin.files[file].n_bytes
    for small in _SMALL_FILES:
        if small in origin.files:
            _ensure_file(origin, small, folder, lambda _done, _all: None)
        elif not (folder / small).is_file():
            _fetch_small(origin, small, folder)
    return Base(folder, _digest_of([(file, origin.files[file].sha256) for file in wanted]), folder)


def _ensure_file(origin: Origin, file: str, folder: Path, on_progress: OnProgress) -> Path:
    known = origin.files[file]
    source = HubFile(origin.repository, origin.revision, file)
    name = f"{origin.repository}:{file}"
    path = folder / file
    model = NamedModel(name, path.name, known.sha256, known.n_bytes, "", (source,))
    return ensure_model(model, on_progress, path.parent, model.sources)


def _fetch_small(origin: Origin, file: str, folder: Path) -> None:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  # as above

    try:
        hf_hub_download(origin.repository, file, revision=origin.revision, local_dir=folder)
    except Exception as error:
        words = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelLoadFailed(f"{origin.repository}: no {file} can be had ({words})") from error


def _digest_of(facts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()
