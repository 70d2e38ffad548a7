"""Getting a model onto this machine, from sources of all kinds and moods."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.hub import Hub, hub_with

from model_runtime.errors import Cancelled, ModelLoadFailed, UnknownName
from model_runtime.locking import acquire
from model_runtime.weights import fetch
from model_runtime.weights.catalog import NamedModel
from model_runtime.weights.fetch import cache_dir, ensure, ensure_model

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = hashlib.shake_128(b"weights").digest(3_000_000)
MODEL = NamedModel(
    name="small",
    file="small.gguf",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    n_bytes=len(CONTENT),
    licence="none",
    sources=(),
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that has the model."""
    with hub_with(CONTENT) as hub:
        yield hub


def get(folder: Path, *sources: object) -> Path:
    """Ensure the model, telling nobody."""
    return ensure_model(MODEL, lambda *_: None, folder, sources)


def names(folder: Path) -> set[str]:
    """Return what is in a folder, but for locks."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_download(tmp_path: Path, hub: Hub) -> None:
    """A model is downloaded once; progress ends at the whole; nothing is left lying about."""
    told: list[tuple[int, int]] = []
    path = ensure_model(MODEL, lambda *n: told.append(n), tmp_path / "new", [hub.file])

    assert path.read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert names(path.parent) == {"small.gguf", "small.gguf.verified"}
    assert get(tmp_path / "new", hub.file) == path
    assert len(hub.ranges) == 1


def test_interrupted_download_goes_on(tmp_path: Path, hub: Hub) -> None:
    """What came before the connection broke is not asked for again."""
    hub.cut_after = 1_000_000
    with pytest.raises(ModelLoadFailed, match="not on this machine"):
        get(tmp_path, hub.file)
    n_here = (tmp_path / "small.gguf.partial").stat().st_size
    hub.cut_after = None
    path = get(tmp_path, hub.file)

    assert path.read_bytes() == CONTENT
    assert 0 < n_here <= 1_000_000
    assert hub.ranges == ["bytes=0-", f"bytes={n_here}-"]


def test_next_source_goes_on_where_the_last_one_broke(tmp_path: Path, hub: Hub) -> None:
    """Sources share what has come so far."""
    hub.cut_after = 1_000_000
    copy = tmp_path / "copy"
    copy.write_bytes(CONTENT)

    assert get(tmp_path / "cache", hub.file, copy).read_bytes() == CONTENT


def test_server_without_ranges(tmp_path: Path, hub: Hub) -> None:
    """A server that always sends the whole is listened to from where we are."""
    (tmp_path / "small.gguf.partial").write_bytes(CONTENT[:1_234_567])
    hub.knows_ranges = False

    assert get(tmp_path, hub.file).read_bytes() == CONTENT


def test_killed_download_goes_on(tmp_path: Path, hub: Hub) -> None:
    """A process that dies in the middle leaves no lock behind, and what it got is used."""
    code = """
import os, sys
from pathlib import Path
from model_runtime.weights.catalog import HubFile, NamedModel
from model_runtime.weights.fetch import ensure_model
folder, endpoint, n_bytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
model = NamedModel("small", "small.gguf", "0" * 64, n_bytes, "none", ())
(folder / "small.gguf.work").mkdir()
def die(n_done, n_all):
    if n_done > n_all / 2:
        os._exit(7)
ensure_model(model, die, folder, [HubFile("a/b", "c", "d", endpoint)])
"""
    arguments = (str(tmp_path), str(hub.file.endpoint), str(len(CONTENT)))
    died = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert died.returncode == 7

    assert get(tmp_path, hub.file).read_bytes() == CONTENT
    assert names(tmp_path) == {"small.gguf", "small.gguf.verified"}


def test_progress_can_end_the_download(tmp_path: Path, hub: Hub) -> None:
    """What the listener raises comes through, and the next call goes on from there."""

    def cancel(n_done: int, _n_bytes: int) -> None:
        if n_done > 1_000_000:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        ensure_model(MODEL, cancel, tmp_path, [hub.file])
    get(tmp_path, hub.file)

    assert hub.ranges[1] != "bytes=0-"


def test_concurrent_callers_share_one_download(tmp_path: Path, hub: Hub) -> None:
    """Of many callers one downloads; the others wait, see how far it is, and get the same file."""
    hub.may_go_on.clear()
    waiter_was_told = threading.Event()

    def wait(n_done: int, _n_bytes: int) -> None:
        if 0 < n_done < len(CONTENT):
            waiter_was_told.set()

    with ThreadPoolExecutor() as threads:
        first = threads.submit(get, tmp_path, hub.file)
        hub.is_halfway.wait()
        others = [threads.submit(ensure_model, MODEL, wait, tmp_path, [hub.file]) for _ in range(3)]
        waiter_was_told.wait()
        hub.may_go_on.set()
        paths = {future.result() for future in (first, *others)}

    assert paths == {tmp_path / "small.gguf"}
    assert len(hub.ranges) == 1


@pytest.mark.parametrize("wrong", [CONTENT[::-1], CONTENT + b"x", CONTENT[:-1], b"", b"<html>"])
def test_wrong_bytes_are_refused(tmp_path: Path, wrong: bytes) -> None:
    """A source that sends something else is named, and nothing of it is kept as the model."""
    with hub_with(wrong) as hub, pytest.raises(ModelLoadFailed, match=r"http://127"):
        get(tmp_path, hub.file)

    assert "small.gguf" not in names(tmp_path)


def test_wrong_digest_is_deleted_and_named(tmp_path: Path) -> None:
    """The digest is what counts, not the size; the next source is asked for the whole."""
    copy = tmp_path / "copy"
    copy.write_bytes(CONTENT)
    with hub_with(CONTENT[::-1]) as false_hub:
        with pytest.raises(ModelLoadFailed, match="has the wrong digest and was deleted"):
            get(tmp_path / "cache", false_hub.file)
        assert names(tmp_path / "cache") == set()

        assert get(tmp_path / "cache", false_hub.file, copy).read_bytes() == CONTENT


@pytest.mark.parametrize("n_bytes", [1000, len(CONTENT), len(CONTENT) + 1])
def test_corrupt_partial_file_is_started_over(tmp_path: Path, hub: Hub, n_bytes: int) -> None:
    """What an earlier attempt left may be damaged; then the same source gets a second chance."""
    (tmp_path / "small.gguf.partial").write_bytes(b"\0" * n_bytes)

    assert get(tmp_path, hub.file).read_bytes() == CONTENT


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[::-1], b""])
def test_corrupt_cache_is_replaced(tmp_path: Path, hub: Hub, damage: bytes) -> None:
    """A file that changed since it was verified is looked at again, and replaced if wrong."""
    path = get(tmp_path, hub.file)
    path.write_bytes(damage)

    assert get(tmp_path, hub.file).read_bytes() == CONTENT
    assert len(hub.ranges) == 2


@pytest.mark.parametrize("note", [b"", b"{}", b"\xff", None])
def test_lost_note_costs_a_look(tmp_path: Path, hub: Hub, note: bytes | None) -> None:
    """Without a good note beside it a file is verified anew, and not downloaded again."""
    path = get(tmp_path, hub.file)
    sidecar = path.with_name("small.gguf.verified")
    good = sidecar.read_bytes()
    sidecar.unlink()
    if note is not None:
        sidecar.write_bytes(note)

    assert get(tmp_path, hub.file) == path
    assert len(hub.ranges) == 1
    assert sidecar.read_bytes() == good


def test_nothing_answers(tmp_path: Path, hub: Hub) -> None:
    """Without network and cache there is one sentence, which says what to do."""
    hub.status = 503
    missing = tmp_path / "no such file"
    with pytest.raises(ModelLoadFailed) as caught:
        get(tmp_path / "cache", hub.file, missing)

    text = str(caught.value)
    assert text.startswith("The model small (3 MB) is not on this machine and can't be had (")
    assert "503" in text
    assert "No such file" in text
    assert "`remask pull`" in text
    assert text.count(". ") == 0


def test_no_room_from_the_start(tmp_path: Path) -> None:
    """A disk that can't hold the model is left alone, and the message says how much is needed."""
    huge = NamedModel("huge", "huge.gguf", "0" * 64, 10**18, "none", ())

    with pytest.raises(ModelLoadFailed, match=r"needs 10+200 MB in .*: make room .*CACHE_DIR"):
        ensure_model(huge, lambda *_: None, tmp_path, [tmp_path / "copy"])
    assert names(tmp_path) == set()


def test_no_room_in_the_middle(tmp_path: Path) -> None:
    """A disk that fills up gets its room back, and the message says what to do."""
    (tmp_path / "copy").write_bytes(CONTENT)
    # A limit on the size of files stands for a full disk: writing fails in the same place.
    code = """
import resource, sys
from pathlib import Path
from model_runtime.errors import ModelLoadFailed
from model_runtime.weights.catalog import NamedModel
from model_runtime.weights.fetch import ensure_model
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
folder = Path(sys.argv[1])
model = NamedModel("small", "small.gguf", "0" * 64, 3_000_000, "none", ())
try:
    ensure_model(model, lambda *_: None, folder / "cache", [folder / "copy"])
except ModelLoadFailed as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )

    assert "make room there" in said.stdout
    assert names(tmp_path / "cache") == set()


def test_a_copy_that_may_only_be_read_is_used(tmp_path: Path) -> None:
    """A cache that an administrator filled, or a read-only home; what is wrong in it is not."""
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from model_runtime.errors import ModelLoadFailed
from test_fetch import CONTENT, MODEL, get
for name in ("right", "wrong"):
    try:
        print(get(Path(sys.argv[1]) / name))
    except ModelLoadFailed as error:
        print(error)
"""
    for name, content in (("right", CONTENT), ("wrong", CONTENT[::-1])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.gguf").write_bytes(content)
        (tmp_path / name).chmod(0o555)
    folders = [str(tmp_path), str(Path(__file__).parent)]
    # Root may write anywhere; as somebody else, it may not.
    someone = ["unshare", "--user", "--map-user=54321"] if os.getuid() == 0 else []
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])

    said = subprocess.run(
        [*someone, sys.executable, "-c", code, *folders],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ).stdout.splitlines()

    assert said[0] == str(tmp_path / "right" / "small.gguf")
    assert "can't be written: Permission denied. Set REMASK_CACHE_DIR" in said[1]
    assert names(tmp_path / "right") == {"small.gguf"}


def test_nobody_waits_for_what_does_not_come(tmp_path: Path) -> None:
    """Another process may hold the file and bring nothing; then it is said how to go on."""
    path = tmp_path / MODEL.file
    times = iter(range(0, 100_000, 100))
    held = acquire(path.with_name("small.gguf.lock"), 0)
    told: list[int] = []
    try:
        with (
            pytest.raises(ModelLoadFailed, match=r"for 400 s and nothing comes.*small.gguf.lock"),
            fetch._turn(path, MODEL, lambda n, _: told.append(n), lambda: float(next(times)), 0),
        ):
            pass
    finally:
        held.release()
    assert told


def test_cache_that_can_not_be_made(tmp_path: Path) -> None:
    """A cache folder in an impossible place is named."""
    (tmp_path / "file").touch()

    with pytest.raises(ModelLoadFailed, match=r"small\.gguf can't be written"):
        get(tmp_path / "file" / "cache", tmp_path / "copy")


def test_unknown_model() -> None:
    """A name that is not in the catalog is an error that lists those that are."""
    with pytest.raises(UnknownName, match=r"allowed: .*qwen2\.5-coder-0\.5b"):
        ensure("qwen")


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The setting wins over the variable, which wins over the user's cache."""
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path))
    assert cache_dir() == tmp_path
    assert cache_dir("/elsewhere").as_posix().endswith("/elsewhere")
    monkeypatch.delenv(fetch.CACHE_VARIABLE)
    assert "remask" in cache_dir().name
