"""Tasks of `remask eval next-edit`, cut out of files."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.next_edit.tasks.__main__ import main
from lsp_server.next_edit.tasks.arguments import argument
from lsp_server.next_edit.tasks.releases import real
from lsp_server.next_edit.tasks.renames import rename
from lsp_server.next_edit.tasks.silence import silence
from model_runtime.protocol.eval_tasks import NextEditTask

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '''\
"""Shapes."""


def area(width, height):
    """The area of a rectangle."""
    size = width * height
    return size


def volume(width, height, depth):
    base = area(width, height)
    return base * depth
'''
NAMES = ["breadth", "count", "left"]


def document(text: str = TEXT, version: str = "1", **values: str) -> dict[str, Any]:
    """Return a document of a corpus."""
    return {
        "package": "shapes", "version": version, "licence": "MIT", "language": "python",
        "path": "shapes.py", "split": "heldout", "text": text, **values,
    }  # fmt: skip


def put_right(task: NextEditTask) -> str:
    """Return the file with all that is wanted."""
    text = task.request.text
    for start, end, new in sorted(task.wanted, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def before(task: NextEditTask) -> str:
    """Return the file before the edit."""
    (change,) = task.request.changes
    text = task.request.text
    return text[: change.start] + change.old + text[change.start + len(change.new) :]


def test_a_rename_wants_every_use_and_no_more() -> None:
    """Put right, the file is what it was with one name for another where it is bound."""
    for seed in range(20):
        task = rename(document(), NAMES, random.Random(seed))
        assert task is not None
        assert task.wanted
        assert before(task) == TEXT
        (change,) = task.request.changes
        text = put_right(task)
        places = len(task.wanted) + 1
        assert text.count(change.new) - TEXT.count(change.new) == places
        assert task.source == "shapes 1 (MIT)"


def test_silence_wants_nothing_though_there_are_candidates() -> None:
    """Else there would be nothing to keep silent about."""
    made = [silence(document(), NAMES, random.Random(seed)) for seed in range(30)]
    tasks = [task for task in made if task]
    assert tasks
    for task in tasks:
        assert before(task) == TEXT
        assert task.wanted == ()
        assert task.request.groups


def test_two_releases_want_what_the_next_one_has() -> None:
    """One of their changes is the edit; of the others those are wanted that are candidates."""
    new = TEXT.replace("height", "h").replace("base * depth", "base * depth  # cubic")
    tasks = list(real(document(), document(new, "2"), random.Random(0)))
    wanting = [task for task in tasks if task.wanted]
    assert wanting
    for task in wanting:
        assert task.kind == "real"
        assert before(task) == TEXT
        assert all(text == "h" for _, _, text in task.wanted)
        assert task.source == "shapes 1 to 2 (MIT)"
    assert list(real(document(), document(), random.Random(0))) == []


def test_a_word_of_a_line_that_is_written_anew_is_no_edit() -> None:
    """Only what is all that changes in its lines."""
    old = "def f(a):\n    one = a\n    return one + a\n"
    rewritten = "def f(a):\n    one = g(a, 2)\n    return one.two - b\n"
    made = [
        task.request.changes[0]
        for task in real(document(old), document(rewritten, "2"), random.Random(0))
    ]
    assert all((change.old, change.new) == ("a", "g(a, 2)") for change in made)
    renamed = old.replace("one", "two")
    (task,) = real(document(old), document(renamed, "2"), random.Random(0))
    assert put_right(task) == renamed


def test_the_command_writes_the_same_for_the_same(tmp_path: Path) -> None:
    """A corpus in, tasks out."""
    lines = b"".join(
        msgspec.json.encode(document(path=f"{i}.py", package=f"p{i}", text=TEXT * 2)) + b"\n"
        for i in range(6)
    )
    corpus = tmp_path / "documents.jsonl.gz"
    corpus.write_bytes(gzip.compress(lines))
    for name in ("a", "b"):
        assert main([str(corpus), "--tasks", "48", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    decoder = msgspec.json.Decoder(NextEditTask)
    lines = gzip.decompress((tmp_path / "a").read_bytes())
    tasks = [decoder.decode(line) for line in lines.splitlines()]
    assert {task.kind.split()[0] for task in tasks} == {"rename", "silence", "argument"}


def test_a_parameter_is_put_in_or_taken_out_and_the_calls_follow() -> None:
    """Put right, the file is what it was, or what it is with the parameter nowhere in a call."""
    kinds = set()
    for seed in range(20):
        task = argument(document(), NAMES, random.Random(seed))
        assert task is not None
        assert task.wanted
        kinds.add(task.kind)
        if task.kind == "argument added":
            assert put_right(task) == TEXT
        else:
            assert before(task) == TEXT
            assert put_right(task).count("width") + put_right(task).count("height") < 10
        groups = [one for one in task.request.groups if one.is_bound and not one.is_loose]
        for group in groups:
            assert [(p.start, p.end) for p in group.places] == [w[:2] for w in task.wanted]
    assert kinds == {"argument added", "argument removed"}
