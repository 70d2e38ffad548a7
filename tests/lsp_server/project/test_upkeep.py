"""The index follows the workspace, and leaves alone what is nobody's business."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from support.workspace import Workspace

from lsp_server.project.upkeep import MANY, MAX_FILE_BYTES
from lsp_server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ONE = "def found_one(a): ...\n"


def test_what_is_left_out_is_not_there(tmp_path: Path) -> None:
    """By git, by the secret patterns, by where packages are installed; links lead nowhere twice."""
    outside = tmp_path / "outside"
    Workspace(outside, {"elsewhere.py": ONE})
    root = tmp_path / "w"
    files = {
        ".gitignore": "build/\n*_made.py\n",
        "src/.gitignore": "!kept_made.py\n",
        "src/kept_made.py": ONE,
        "src/other_made.py": ONE,
        "build/a.py": ONE,
        "secrets/key.py": ONE,
        "credentials.py": ONE,
        "node_modules/m/a.js": "function a() {}\n",
        "env/pyvenv.cfg": "",
        "env/lib/a.py": ONE,
        "notes.txt": "text",
    }
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "src" / "link.py").symlink_to(outside / "elsewhere.py")
    settings = Settings(secret_files=("secrets/*", "credentials.*"))
    workspace = Workspace(root, files, settings)
    assert workspace.index.paths == ["src/kept_made.py"]


def test_a_renamed_folder_has_its_new_name(tmp_path: Path) -> None:
    """Told of the folders alone, as some editors do."""
    workspace = Workspace(tmp_path, {f"old/m{n}.py": ONE for n in range(3)})
    (tmp_path / "old").rename(tmp_path / "new")
    workspace.upkeep.look_at([tmp_path / "old", tmp_path / "new"])
    workspace.keep_up()
    assert sorted(workspace.index.paths) == ["new/m0.py", "new/m1.py", "new/m2.py"]
    assert sorted(workspace.index.defining("found_one")) == sorted(workspace.index.paths)


def test_thousands_of_changes_are_taken_in_one_walk(tmp_path: Path) -> None:
    """A branch is switched: files come, go and change."""
    n = MANY + 100
    workspace = Workspace(tmp_path, {f"m{i}.py": f"def name_{i}(): ...\n" for i in range(n)})
    for i in range(0, n, 2):
        (tmp_path / f"m{i}.py").unlink()
    workspace.write({f"n{i}.py": f"def other_{i}(): ...\n" for i in range(n)})
    workspace.write({"m1.py": "def changed_name(): ...\n"})
    told = [tmp_path / f"{kind}{i}.py" for kind in "mn" for i in range(n)]
    workspace.upkeep.look_at(told)
    workspace.keep_up()
    assert len(workspace.index) == n // 2 + n
    assert workspace.index.defining("changed_name") == ["m1.py"]
    assert workspace.index.defining("name_0") == workspace.index.defining("name_1") == []


def test_a_list_of_patterns_that_changes_counts(tmp_path: Path) -> None:
    """What it leaves out now is gone."""
    workspace = Workspace(tmp_path, {"a.py": ONE, "made/b.py": ONE})
    workspace.write({".gitignore": "made/\n"})
    workspace.upkeep.look_at([tmp_path / ".gitignore"])
    workspace.keep_up()
    assert workspace.index.paths == ["a.py"]


def test_a_deleted_workspace_is_empty(tmp_path: Path) -> None:
    """And one that comes back is full again."""
    root = tmp_path / "w"
    workspace = Workspace(root, {"a.py": ONE})
    shutil.rmtree(root)
    workspace.upkeep.walk_again()
    workspace.keep_up()
    assert workspace.index.paths == []
    workspace.write({"b.py": ONE})
    workspace.upkeep.walk_again()
    workspace.keep_up()
    assert workspace.index.paths == ["b.py"]


def test_a_long_file_is_there_and_not_read(tmp_path: Path) -> None:
    """A megabyte that a program made."""
    workspace = Workspace(tmp_path, {"long.py": ONE + "x = 1\n" * (MAX_FILE_BYTES // 4)})
    assert workspace.index.paths == ["long.py"]
    assert workspace.index.defining("found_one") == []
    assert workspace.shown("a.py", "from long import found_one\nfound_one(|\n") == ""


def test_an_open_document_counts_as_it_stands(tmp_path: Path) -> None:
    """Closed, the file on the disk counts again."""
    workspace = Workspace(tmp_path, {"m.py": ONE})
    workspace.index.open("m.py", "def found_two(b): ...\n")
    assert workspace.index.defining("found_two") == ["m.py"]
    assert workspace.index.defining("found_one") == []
    workspace.index.close("m.py")
    assert workspace.index.defining("found_one") == ["m.py"]
