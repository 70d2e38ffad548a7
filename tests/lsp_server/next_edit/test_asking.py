"""What is asked of the runtime after an edit, and when nothing is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.next_edit.asking import build_request, taken_back
from lsp_server.next_edit.changes import Change, meant

BEFORE = """def area(width, height):
    size = width * height
    return size
"""


@pytest.mark.parametrize(
    ("old", "new", "is_asked"),
    [
        ("(width,", "(breadth,", True),
        ("(width,", "(if,", False),
        ("(width,", "((width,", False),
        ("size =", "total =", True),
        ("size =", "=", False),
    ],
)
def test_nothing_follows_from_an_edit_that_is_not_finished(
    old: str,
    new: str,
    is_asked: bool,  # noqa: FBT001
) -> None:
    """It left a fault of syntax: the user types on."""
    after = BEFORE.replace(old, new, 1)
    request = build_request("python", after, meant(BEFORE, after))
    assert (request is not None) == is_asked


def test_a_fault_that_stood_there_is_no_matter() -> None:
    """Files that are being written seldom parse as a whole."""
    broken = f"{BEFORE}\n\ndef later(:\n"
    after = broken.replace("(width,", "(breadth,", 1)
    assert build_request("python", after, meant(broken, after)) is not None


@given(st.lists(st.tuples(st.text("ab", max_size=4), st.text("cd", max_size=4)), max_size=5))
def test_what_is_taken_back_is_what_stood_there(replaced: list[tuple[str, str]]) -> None:
    """At as many places as there are, however long the two are."""
    changes, after = list[Change](), ""
    for old, new in replaced:
        changes.append(Change(len(after), old, new))
        after += f"{new}|"
    assert taken_back(after, changes) == "".join(f"{old}|" for old, _ in replaced)
