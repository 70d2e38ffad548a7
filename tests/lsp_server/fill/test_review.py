"""Which edits come as a proposal to look at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from support.fake_runtime import FakeRuntime, finished
from support.marked import snapshot_of, unmark

from lsp_server.fill.infill import fill, make_plan
from lsp_server.fill.review import doubtful_lines, review_of, to_reviewed_edit
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Settings
from model_runtime.protocol import Alternative, Stretch

if TYPE_CHECKING:
    from lsp_server.fill.filled import Filled
    from lsp_server.settings import Review

MANY = "a = 1\nb = 2\nc = 3\nd = 4"


def filled_with(text: str, *confidence: float, marked: str = "x = 0\n$0y$0\n") -> Filled:
    """Return the edit that a text makes of a document; its stretches are as long as one another."""
    document, selections = unmark(marked)
    plan = make_plan(snapshot_of(document), InfillParams(""), Settings(), selections=selections)
    n_chars = len(text) // max(1, len(confidence))
    stretches = tuple(Stretch(n_chars=n_chars, confidence=one) for one in confidence)
    one = Alternative(texts=(text,), confidence=(stretches,) if stretches else ())
    runtime = FakeRuntime(
        lambda request: msgspec.structs.replace(finished(request, text), alternatives=(one,))
    )
    return asyncio.run(fill(runtime, plan))  # type: ignore[arg-type]  # fakes the same methods


@pytest.mark.parametrize(
    ("setting", "small", "many", "doubtful"),
    [("never", False, False, False), ("doubtful", False, True, True), ("always", True, True, True)],
)
def test_the_setting_says_which_edits_are_looked_at_first(
    setting: Review, *, small: bool, many: bool, doubtful: bool
) -> None:
    """One of a line, one of four lines, and one of a line with something in doubt."""
    assert bool(review_of(filled_with("z"), setting)) == small
    assert bool(review_of(filled_with(MANY), setting)) == many
    assert bool(review_of(filled_with("zz = z", 0.9, 0.2), setting)) == doubtful


def test_what_is_in_doubt_is_told() -> None:
    """By the line of the new document that the stretch begins in."""
    annotation = review_of(filled_with("aa=1\nbb=2\n", 0.9, 0.1), "doubtful")
    assert annotation is not None
    assert annotation.needs_confirmation
    assert annotation.description == "In doubt: line 3."


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_count_what_other_places_bring(line_end: str) -> None:
    """In the new document, whatever ends its lines."""
    text, selections = unmark("a=$0___$0\nb=$0___$0\n".replace("\n", line_end))
    plan = make_plan(
        snapshot_of(text), InfillParams("", mode="holes"), Settings(), selections=selections
    )
    doubts = ((), (Stretch(n_chars=1, confidence=0.1),))
    one = Alternative(texts=("(\n1,\n2,\n3,\n)", "z"), confidence=doubts)
    runtime = FakeRuntime(
        lambda request: msgspec.structs.replace(finished(request), alternatives=(one,))
    )
    filled = asyncio.run(fill(runtime, plan))  # type: ignore[arg-type]  # fakes the same methods
    assert list(doubtful_lines(filled)) == [6]


def test_what_stands_before_a_line_that_was_asked_for_again_is_not_in_doubt() -> None:
    """The confidence that came with the line is the line's own."""
    document, selections = unmark("x = 0\n$0$0\n")
    plan = make_plan(snapshot_of(document), InfillParams(""), Settings(), selections=selections)
    line = (Stretch(n_chars=4, confidence=0.9), Stretch(n_chars=1, confidence=0.1))
    answers = [
        Alternative(texts=("a = 1\nb = (",)),
        Alternative(texts=("b = 2",), confidence=(line,)),
    ]
    runtime = FakeRuntime(
        lambda request: msgspec.structs.replace(
            finished(request, ""), alternatives=(answers.pop(0),)
        )
    )
    filled = asyncio.run(fill(runtime, plan))  # type: ignore[arg-type]  # fakes the same methods
    assert filled.text == "x = 0\na = 1\nb = 2\n"
    assert list(doubtful_lines(filled)) == [3]


def test_no_edit_is_no_proposal() -> None:
    """There is nothing to look at."""
    assert review_of(filled_with("y"), "always") is None


def test_the_edit_says_that_it_is_to_be_confirmed() -> None:
    """In LSP's own way; to an editor that does not know it, it is an edit like any other."""
    filled = filled_with("z")
    edit = to_reviewed_edit(filled, "always", versioned=True, annotated=True)
    assert edit.change_annotations is not None
    assert all(one.needs_confirmation for one in edit.change_annotations.values())
    for versioned, annotated in ((True, False), (False, True)):
        plain = to_reviewed_edit(filled, "always", versioned=versioned, annotated=annotated)
        assert plain.change_annotations is None
