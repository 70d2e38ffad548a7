"""Files by their names, links followed, and what git leaves out."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from lsp_server.paths import is_ignored, is_inside, relative_path
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A workspace `real` with a folder of secrets, and what leads to it: `link`."""
    (tmp_path / "real" / "secrets").mkdir(parents=True)
    (tmp_path / "real" / "secrets" / "a.py").touch()
    (tmp_path / "real" / "b.py").touch()
    (tmp_path / "real" / "alias").symlink_to(tmp_path / "real" / "secrets")
    (tmp_path / "real" / "notes.py").symlink_to(tmp_path / "real" / "secrets" / "a.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    return tmp_path


@pytest.mark.parametrize("root", ["real", "link"])
@pytest.mark.parametrize("folder", ["real", "link"])
def test_a_workspace_is_the_same_through_a_link(linked: Path, root: str, folder: str) -> None:
    """Editors differ in whether they follow links, for the workspace and for a file of it."""
    path, top = str(linked / folder / "secrets" / "a.py"), str(linked / root)
    settings = Settings(secret_files=("secrets/*",))

    assert is_inside(path, top)
    assert relative_path(path, top) == "secrets/a.py"
    assert settings.is_secret(path, top)
    assert not settings.is_secret(str(linked / folder / "b.py"), top)
    assert not is_inside(str(linked / "elsewhere.py"), top)


@pytest.mark.parametrize("name", ["alias/a.py", "notes.py"])
@pytest.mark.parametrize("root", ["real", "link"])
def test_a_link_to_a_secret_is_one(linked: Path, root: str, name: str) -> None:
    """Neither a folder nor a file stops being secret because a link leads to it."""
    top = linked / root

    assert Settings(secret_files=("secrets/*",)).is_secret(str(top / name), str(top))


def test_a_secret_name_of_a_harmless_file_is_one(tmp_path: Path) -> None:
    """What is called `.env` is meant to be one, wherever its text lies."""
    (tmp_path / "config.txt").touch()
    (tmp_path / ".env").symlink_to(tmp_path / "config.txt")

    assert Settings().is_secret(str(tmp_path / ".env"), str(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("~/private/*", True),
        ("{home}/private/*", True),
        ("**/private/*", True),
        ("**/b.py", True),
        ("private/", True),
        ("home/*", False),
        ("**/home/*", False),
        ("~/other/*", False),
    ],
)
def test_patterns_may_be_whole_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: object
) -> None:
    """`~` is the home; `**/` any folder of the workspace; folders above it don't count."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    settings = Settings(secret_files=(pattern.format(home=home),))

    assert settings.is_secret(str(home / "private" / "a" / "b.py"), str(home)) is expected


IGNORE = {
    ".gitignore": "build/\n*.log\n!keep.log\n/top.py\n[\n",
    "pkg/.gitignore": "!noisy.log\nlocal.py\n",
}
GIT = shutil.which("git") or "git"
FILES = (
    "build/made.py",
    "pkg/build/deep/made.py",
    "a.log",
    "keep.log",
    "pkg/noisy.log",
    "pkg/local.py",
    "local.py",
    "top.py",
    "pkg/top.py",
    "build/keep.log",
    "pkg/é b.py",
)


def test_what_git_ignores_is_what_git_ignores(tmp_path: Path) -> None:
    """Nested lists, what is taken back, folders, the repository's own list: git is the judge."""
    subprocess.run([GIT, "init", "-q", str(tmp_path)], check=True)
    for name, text in IGNORE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".git" / "info").mkdir(exist_ok=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("keep.log\n")
    asked = [GIT, "-C", str(tmp_path), "-c", "core.quotePath=false", "check-ignore", *FILES]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")

    found = [name for name in FILES if is_ignored(str(tmp_path / name), str(tmp_path))]

    assert found == [name for name in FILES if name in said]
    assert "pkg/local.py" in found


def test_a_list_counts_above_the_workspace_and_without_a_repository(tmp_path: Path) -> None:
    """A workspace may be a part of a repository, or none; a list that changes is read again."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    work = tmp_path / "repo" / "work"
    work.mkdir()
    (tmp_path / "repo" / ".gitignore").write_text("made.py\n")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / ".gitignore").write_text("made.py\n")

    assert is_ignored(str(work / "made.py"), str(work))
    assert is_ignored(str(work / "made.py"), "")
    assert is_ignored(str(bare / "made.py"), str(bare))
    assert not is_ignored(str(tmp_path / "made.py"), "")
    (bare / ".gitignore").write_text("other.py\n")
    assert not is_ignored(str(bare / "made.py"), str(bare))


@pytest.mark.parametrize("root", ["real", "link"])
def test_what_git_ignores_is_ignored_through_a_link(linked: Path, root: str) -> None:
    """The list is beside the file, wherever the editor says that it is."""
    (linked / "real" / ".gitignore").write_text("secrets/\n")

    assert is_ignored(str(linked / root / "secrets" / "a.py"), str(linked / "link"))
    assert is_ignored(str(linked / root / "notes.py"), str(linked / "real"))
    assert not is_ignored(str(linked / root / "b.py"), str(linked / "real"))
