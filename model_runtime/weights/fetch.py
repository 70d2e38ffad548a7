"""Getting a named model onto this machine, verified.

`ensure` is what everything else calls. One download runs at a time, whoever asks; it goes on where
an interrupted one stopped, and nothing bears the model's name that has not the model's digest.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs
from filelock import Timeout

from model_runtime.errors import ModelLoadFailed
from model_runtime.locking import acquire
from model_runtime.weights.catalog import named_model
from model_runtime.weights.sources import SourceFailed, read_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model_runtime.weights.catalog import NamedModel
    from model_runtime.weights.sources import Source

    #: Told bytes done and bytes in all. What it raises ends the download, which can be resumed.
    OnProgress = Callable[[int, int], None]

log = logging.getLogger(__name__)

CACHE_VARIABLE = "REMASK_CACHE_DIR"
#: Seconds between two looks at a download that another process does.
LOOK_S = 0.5
#: Seconds for which another process may bring nothing, before it is held to be none.
STALL_S = 300.0
#: Room to leave on the disk, for a package on its way and for everyone else.
SPARE_BYTES = 200_000_000
#: What "no room" is called by a disk, a quota and a limit on files.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: What a place says that is to be read only.
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file was when its digest was last computed, so that a start needn't do it again."""

    sha256: str
    n_bytes: int
    mtime_ns: int


def cache_dir(chosen: str = "") -> Path:
    """Return the folder that models are kept in.

    Args:
        chosen: the setting `cache_dir`; empty takes REMASK_CACHE_DIR, else the user's cache.
    """
    folder = chosen or os.environ.get(CACHE_VARIABLE)
    return Path(folder or platformdirs.user_cache_dir("remask", appauthor=False)).absolute()


def ensure(
    name: str,
    on_progress: OnProgress = lambda _done, _all: None,
    *,
    folder: Path | None = None,
    sources: Sequence[Source] | None = None,
) -> Path:
    """Return the path of a model's verified file; download it first if it is not here.

    Args:
        name: a name of the catalog.
        on_progress: told how far a download has come, by whoever does it.
        folder: where to keep it; None takes `cache_dir()`.
        sources: None takes the catalog's.

    Raises:
        UnknownName: the message lists the catalog's names.
        ModelLoadFailed: it is not here and can't be had; one sentence says what to do.
    """
    model = named_model(name)
    return ensure_model(model, on_progress, folder or cache_dir(), sources or model.sources)


def ensure_model(
    model: NamedModel, on_progress: OnProgress, folder: Path, sources: Sequence[Source]
) -> Path:
    """Do what `ensure` does, for a model that need not be in the catalog."""
    path = folder / model.file
    if _is_remembered(path, model):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(path, model, on_progress):
            # Whoever had the lock before may have brought it.
            if not _is_here(path, model):
                _download(model, on_progress, path, sources)
    except OSError as error:
        if error.errno in FULL:
            _partial(path).unlink(missing_ok=True)
            raise _no_room(model, folder) from error
        if error.errno in READ_ONLY and path.is_file() and _digest(path) == model.sha256:
            # Somebody else's, and right; that it was checked can't be noted down.
            return path
        raise ModelLoadFailed(
            f"{path} can't be written: {error.strerror or error}. Set {CACHE_VARIABLE} to a folder "
            "that can."
        ) from error
    return path


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _workspace(partial: Path) -> Path:
    return partial.with_suffix(".work")


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


@contextlib.contextmanager
def _turn(
    path: Path,
    model: NamedModel,
    on_progress: OnProgress,
    clock: Callable[[], float] = time.monotonic,
    look_s: float = LOOK_S,
) -> Iterator[None]:
    """Wait for others that download the same file, and report how far they have come.

    Raises:
        ModelLoadFailed: nothing comes any more.
    """
    place = path.with_name(f"{path.name}.lock")
    n_seen, since = -1, clock()
    while True:
        try:
            lock = acquire(place, look_s)
            break
        except Timeout as error:
            n_here = _size(_partial(path))
            on_progress(n_here, model.n_bytes)
            n_come = n_here + _size_of_all(_workspace(_partial(path)))
            if n_come != n_seen:
                n_seen, since = n_come, clock()
            elif (idle_s := clock() - since) > STALL_S:
                raise ModelLoadFailed(
                    f"Another process has been getting {model.name} for {idle_s:.0f} s "
                    f"and nothing comes. End it, or delete {place}* if there is none."
                ) from error
    try:
        yield
    finally:
        lock.release()


def _is_remembered(path: Path, model: NamedModel) -> bool:
    """Whether the file is the one whose digest was found right before."""
    try:
        found = path.stat()
        verified = msgspec.json.decode(_sidecar(path).read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        return False
    return verified == Verified(model.sha256, found.st_size, found.st_mtime_ns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remember(path: Path, model: NamedModel) -> None:
    """Note that a file has been found to be the model's."""
    found = path.stat()
    verified = Verified(model.sha256, found.st_size, found.st_mtime_ns)
    _sidecar(path).write_bytes(msgspec.json.encode(verified))


def _is_here(path: Path, model: NamedModel) -> bool:
    """Whether the file is here and right; a wrong one is deleted."""
    if _is_remembered(path, model):
        return True
    if not path.exists():
        return False
    if (digest := _digest(path)) != model.sha256:
        log.warning("%s has the digest %s, not %s: deleted", path, digest, model.sha256)
        path.unlink()
        return False
    _remember(path, model)
    return True


def _download(
    model: NamedModel, on_progress: OnProgress, path: Path, sources: Sequence[Source]
) -> None:
    """Bring the file, from the first source that has it."""
    partial = _partial(path)
    if shutil.disk_usage(path.parent).free < model.n_bytes - _size(partial) + SPARE_BYTES:
        raise _no_room(model, path.parent)
    failures = []
    for source in sources:
        try:
            _complete(partial, model, source, on_progress)
        except SourceFailed as error:
            log.warning("%s from %s: %s", model.name, source, error)
            failures.append(f"{source}: {error}")
        else:
            partial.replace(path)
            _remember(path, model)
            log.info("%s came from %s", model.name, source)
            return
    raise ModelLoadFailed(
        f"The model {model.name} ({model.n_bytes / 1e6:.0f} MB) is not on this machine and can't"
        f" be had ({'; '.join(failures)}): connect to the internet and run `remask pull`, or give"
        " a copy of the file with `remask pull --from PATH`."
    )


def _complete(partial: Path, model: NamedModel, source: Source, on_progress: OnProgress) -> None:
    """Make the partial file whole and right, or raise `SourceFailed`; a wrong one is deleted."""
    is_resumed = _size(partial) > 0
    _append(partial, model, source, on_progress)
    if (digest := _digest(partial)) == model.sha256:
        return
    log.warning("%s from %s has the digest %s: deleted", model.name, source, digest)
    partial.unlink()
    if not is_resumed:
        raise SourceFailed("what it sent has the wrong digest and was deleted")
    # What an earlier attempt left may have been at fault.
    _complete(partial, model, source, on_progress)


def _append(partial: Path, model: NamedModel, source: Source, on_progress: OnProgress) -> None:
    """Append what is missing from a source."""
    n_here = _size(partial)
    if n_here >= model.n_bytes:
        return
    # What a killed download left in its workspace is of no use.
    workspace = _workspace(partial)
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir()

    def on_ahead(n_bytes: int) -> None:
        on_progress(min(n_here + n_bytes, model.n_bytes), model.n_bytes)

    chunks = read_source(source, n_here, model.n_bytes, workspace, on_ahead)
    try:
        with partial.open("ab") as file, contextlib.closing(chunks):
            for chunk in chunks:
                file.write(chunk)
                n_here += len(chunk)
                if n_here > model.n_bytes:
                    break
                on_progress(n_here, model.n_bytes)
            file.flush()
            os.fsync(file.fileno())
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    if n_here < model.n_bytes:
        raise SourceFailed(f"it ended after {n_here:,} of {model.n_bytes:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _size_of_all(folder: Path) -> int:
    """Return the bytes in a folder that another process fills and empties meanwhile."""
    n_bytes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            n_bytes += path.stat().st_size
    return n_bytes


def _no_room(model: NamedModel, folder: Path) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"The model {model.name} needs {(model.n_bytes + SPARE_BYTES) / 1e6:.0f} MB in {folder},"
        f" where {shutil.disk_usage(folder).free / 1e6:.0f} MB are free: make room there, or set"
        f" {CACHE_VARIABLE} to a folder on a larger disk."
    )
