"""The held-out tasks are many languages' code, named by source, and never trained on."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.__main__ import main
from model_runtime.errors import BadRequest
from model_runtime.evaluation import heldout
from model_runtime.evaluation.heldout import make_tasks, read_tasks, write_tasks
from model_runtime.training.data import DOCUMENTS_NAME, Document, split_of
from model_runtime.training.packages import LICENCES, read_packages

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''"""Does things."""


def compute(value):
    """Say what it does."""
    # A remark that nobody could guess.
    total = value + offset
    for item in range(total):
        total = total + item * value
    return finish(total, value)
'''


def documents(n: int = 8, language: str = "python") -> list[Document]:
    """Make held-out documents of several packages."""
    return [
        Document(
            registry="pypi",
            package=f"package{i % 4}",
            version="1.0",
            licence="MIT",
            language=language,
            path=f"m{i}.py",
            split="heldout",
            text=SOURCE.replace("value", f"value_{i}"),
        )
        for i in range(n)
    ]


def test_shipped_tasks_come_from_held_out_packages_of_the_list() -> None:
    """Every task names its package, version and licence, and the package is held out."""
    listed = {(package.name, package.version): package for package in read_packages()}
    tasks = read_tasks()
    assert len(tasks) > 380
    assert len({task.id for task in tasks}) == len(tasks)
    for task in tasks:
        name, version, licence = task.source.rsplit(" ", 2)
        assert split_of(name) == "heldout"
        assert listed[name, version].licence == licence.strip("()")
        assert set(licence.strip("()").split(" AND ")) <= LICENCES


def test_shipped_tasks_are_of_nine_languages_and_not_of_one_package() -> None:
    """No language is missing, and no package makes a tenth of the whole."""
    tasks = read_tasks()
    assert {task.language for task in tasks} == set(heldout.N_TASKS)
    n_largest = Counter(task.source for task in tasks).most_common(1)[0][1]
    assert n_largest <= min(heldout.MAX_OF_PACKAGE, len(tasks) // 10)
    assert all(task.reference.strip() for task in tasks)


def test_made_tasks_are_spread_and_hold_code() -> None:
    """Tasks spread over files, and ask for neither comments nor docstrings."""
    made = make_tasks(documents(), n_tasks={"python": 12, "go": 5})
    assert len(made) == 12
    assert max(Counter(task.path for task in made).values()) <= heldout.MAX_OF_FILE
    for task in made:
        original = SOURCE.replace("value", f"value_{task.path[1:-3]}")
        assert task.prefix + task.reference + task.suffix in original
        assert "remark" not in task.reference
        assert "Say what" not in task.reference
        assert not task.single_line or "\n" not in task.reference.rstrip("\n")
        assert task.source == f"package{int(task.path[1:-3]) % 4} 1.0 (MIT)"


def test_the_same_documents_make_the_same_file(tmp_path: Path) -> None:
    """Tasks and their file depend on documents and seed alone, and read back as they were."""
    tasks = make_tasks(documents(), n_tasks={"python": 8})
    write_tasks(tasks, tmp_path / "one.gz")
    write_tasks(make_tasks(documents(), n_tasks={"python": 8}), tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    assert read_tasks(tmp_path / "one.gz") == tasks
    assert make_tasks(documents(), seed=1, n_tasks={"python": 8}) != tasks


def test_the_command_cuts_tasks_out_of_a_corpus(tmp_path: Path) -> None:
    """The shipped file can be made again by one command."""
    lines = b"".join(msgspec.json.encode(document) + b"\n" for document in documents())
    (tmp_path / DOCUMENTS_NAME).write_bytes(gzip.compress(lines))
    out = tmp_path / "tasks.jsonl.gz"
    assert main(["eval", "make-tasks", str(tmp_path), "--out", str(out)]) == 0
    assert read_tasks(out) == make_tasks(documents())


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that holds no tasks is an error."""
    path = tmp_path / "other.gz"
    path.write_bytes(gzip.compress(b"{}\n"))
    with pytest.raises(BadRequest, match="no held-out tasks"):
        read_tasks(path)
