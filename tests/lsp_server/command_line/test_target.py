"""Selections on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.marked import mark, snapshot_of

from lsp_server.command_line.target import Target
from lsp_server.errors import BadSelection

TEXT = "def f(a):\n    return a\n\n    # 😀 end\n"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a.py", Target(Path("a.py"))),
        ("a.py:3", Target(Path("a.py"), 3)),
        ("a.py:3:5", Target(Path("a.py"), 3, 5)),
        ("a.py:3-4", Target(Path("a.py"), 3, None, 4)),
        ("a.py:3:5-4:6", Target(Path("a.py"), 3, 5, 4, 6)),
        (r"C:\a.py:3", Target(Path(r"C:\a.py"), 3)),
        ("a-b:c.py:3-4", Target(Path("a-b:c.py"), 3, None, 4)),
        ("", Target(Path())),
    ],
)
def test_a_target_is_read(target: str, expected: Target) -> None:
    """Colons and dashes in the file's name do no harm."""
    assert Target.parse(target) == expected


def test_a_file_that_is_named_like_a_target_is_that_file(tmp_path: Path) -> None:
    """What exists is not taken apart."""
    path = tmp_path / "a.py:3"
    path.touch()

    assert Target.parse(str(path)) == Target(path)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a:2", TEXT.replace("return a", "$0return a$0")),
        ("a:1-2", "$0def f(a):\n    return a$0\n\n    # 😀 end\n"),
        ("a:2:5", TEXT.replace("return", "$0return")),
        ("a:2:12-2:13", TEXT.replace("return a", "return $0a$0")),
        ("a:2:12-2", TEXT.replace("return a", "return $0a$0")),
        ("a:3", TEXT.replace("\n\n", "\n$0\n")),
        ("a:4:9-4:12", TEXT.replace("end", "$0end$0")),
        ("a:5", TEXT + "$0"),
    ],
)
def test_a_target_selects(target: str, expected: str) -> None:
    """Whole lines without indentation and line end, columns to the character, blanks as here."""
    snapshot = snapshot_of(TEXT)

    assert mark(TEXT, Target.parse(target).selections(snapshot)) == expected


def test_a_file_alone_selects_nothing() -> None:
    """Then the mode has to find the places."""
    assert Target.parse("a").selections(snapshot_of(TEXT)) == []


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("a:6", "no line 6; the file has lines 1 to 5"),
        ("a:0", "no line 0"),
        ("a:2:99", "no column 99 in line 2; it has columns 1 to 13"),
        ("a:2:0", "no column 0"),
        ("a:2-1", "ends before it starts"),
        ("a:2:9-2:8", "ends before it starts"),
    ],
)
def test_a_place_outside_the_file_is_refused(target: str, says: str) -> None:
    """The message says what there is."""
    with pytest.raises(BadSelection, match=says):
        Target.parse(target).selections(snapshot_of(TEXT))


def test_an_empty_file_has_a_first_line() -> None:
    """Something can be written into it."""
    assert mark("", Target.parse("a:1").selections(snapshot_of(""))) == "$0"
