"""The wheel and the source distribution: complete, and good for a fill from an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
GIT = shutil.which("git") or "git"

#: Where an index's package of our name would be meant. The one on the index is not ours.
FROM_AN_INDEX = re.compile(
    r"\b(pip|pipx|uv)\b[^\n;&|]*\binstall(\s+-[\w-]+)*\s+['\"]?remask\b|\buvx remask\b"
)


def tracked(*folders: str) -> set[str]:
    """Return the files that the repository has."""
    listed = subprocess.run(
        [GIT, "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, the wheel made from the source distribution, as `python -m build` does.

    From a copy of what the repository has: what else lies about belongs into neither.
    """
    folder = tmp_path_factory.mktemp("packages")
    copy = folder / "checkout"
    for name in tracked():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    made = folder / "dist"
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(copy)],
        check=True,
        capture_output=True,
    )
    return made


def test_both_are_complete(dist: Path) -> None:
    """All code, the adapter's weights and the editors' clients: installing needs no Node."""
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as archive:
        in_source = {member.name.partition("/")[2] for member in archive if member.isfile()}

    code = tracked("lsp_server", "model_runtime")
    clients = tracked("editor_clients/neovim") | {"editor_clients/vscode/remask.vsix"}
    assert in_wheel == code | {f"lsp_server/{name}" for name in clients}
    assert code | tracked("editor_clients", "tests", "docs") <= in_source


@pytest.fixture(params=["whl", "tar.gz"])
def installed(request: pytest.FixtureRequest, dist: Path, tmp_path: Path) -> Iterator[Path]:
    """One of them, installed beside nothing else of ours; its dependencies are there."""
    (package,) = dist.glob(f"*.{request.param}")
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(package)], check=True, capture_output=True)
    yield target
    _run(target, "stop")


def _run(target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command that was installed, in a folder that nothing of the checkout is in."""
    empty = target.parent / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "add.py").write_text("def add(a, b):\n    return None\n")
    environment = {**os.environ, "PYTHONPATH": str(target), "XDG_DATA_HOME": str(target / "data")}
    return subprocess.run(
        [sys.executable, "-P", str(target / "bin" / "remask"), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=empty,
        env=environment,
    )


@pytest.mark.real_model
def test_what_was_installed_fills_from_an_empty_folder(installed: Path) -> None:
    """With the default model and the adapter that the package carries; and it has the clients."""
    where = "import lsp_server, model_runtime; print(lsp_server.__file__, model_runtime.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", where],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all(Path(path).is_relative_to(installed) for path in found)

    filled = _run(installed, "infill", "add.py:2")

    assert filled.returncode == 0, filled.stderr
    assert "+    return a + b\n" in filled.stdout
    assert _run(installed, "install", "neovim").returncode == 0


def test_nobody_is_told_to_install_what_the_index_has() -> None:
    """Not in a page, a message or a help text: how to install stands in the README alone."""
    found = []
    for name in sorted(tracked()):
        path = ROOT / name
        if name == "tests/e2e/test_packages.py" or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match.group()}" for match in FROM_AN_INDEX.finditer(text)]

    assert found == []
    assert "## Install\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("pip install remask", True),
        ("python -m pip install --upgrade 'remask[ray]'", True),
        ("uv tool install remask", True),
        ("uvx remask lsp", True),
        ("pip install . && remask infill", False),
        ("pip install dist/remask-*.whl", False),
        ("pip install -e '.[dev]'", False),
    ],
)
def test_such_words_are_found(text: str, *, is_one: bool) -> None:
    """In any of the ways that one says it."""
    assert bool(FROM_AN_INDEX.search(text)) is is_one
