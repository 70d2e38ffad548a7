"""From fills to edits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from support.marked import snapshot_of, unmark

from lsp_server.documents import UTF16, LineMap, Span
from lsp_server.errors import StaleResult
from lsp_server.fill.edits import (
    Replacement,
    apply_replacements,
    check_current,
    to_newlines,
    to_replacements,
    to_workspace_edit,
)
from lsp_server.mirror import OpenDocuments

lines = st.text(st.sampled_from("ab \t\f\u2028😀"), max_size=4)
#: Not all three in one file: "\r" and "\n" that come to stand side by side are one line end.
line_ends = st.sampled_from([("\n", "\r\n"), ("\r",)])
documents = line_ends.flatmap(
    lambda ends: st.lists(st.tuples(lines, st.sampled_from(ends)), max_size=6)
).map(lambda rows: "".join(line + end for line, end in rows))
fills = st.lists(lines, max_size=5).map("\n".join)


@st.composite
def spans_of(draw: st.DrawFn, text: str) -> Span:
    """Draw two places that a cursor can have."""
    places = [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n" or not i]
    return Span(*sorted(draw(st.lists(st.sampled_from(places), min_size=2, max_size=2))))


@given(st.data(), documents, fills)
def test_an_edit_gives_the_text_that_was_asked_for(
    data: st.DataObject, text: str, fill: str
) -> None:
    """Outside the span nothing changes, inside stands the fill, and no line end is parted."""
    snapshot = snapshot_of(text)
    span = data.draw(spans_of(text))

    replacements = to_replacements(snapshot, [span], [fill])
    after = apply_replacements(text, replacements)

    assert after.startswith(text[: span.start])
    assert after.endswith(text[span.end :])
    assert to_newlines(after[span.start : len(after) - len(text) + span.end]) == fill
    positions = LineMap(text, UTF16)
    for replacement in replacements:
        for offset in replacement.span:
            assert positions.offset_at(positions.position_at(offset)) == offset


@given(st.data(), documents)
def test_a_fill_that_changes_nothing_makes_no_edit(data: st.DataObject, text: str) -> None:
    """The old text back, as the model writes it, leaves mixed line ends as they are."""
    span = data.draw(spans_of(text))

    same = to_newlines(text[span.start : span.end])

    assert to_replacements(snapshot_of(text), [span], [same]) == []


@given(documents.filter(lambda text: "\r\n" in text), fills)
def test_a_crlf_document_gets_crlf_lines(text: str, fill: str) -> None:
    """A model's newline becomes the document's own."""
    snapshot = snapshot_of(re.sub(r"\r\n|\r|\n", "\r\n", text))
    end = len(snapshot.text)

    after = apply_replacements(snapshot.text, to_replacements(snapshot, [Span(end, end)], [fill]))

    assert not re.search(r"\r(?!\n)|(?<!\r)\n", after)


@pytest.mark.parametrize(
    ("marked", "fill", "expected"),
    [
        ("x = $0foo(1)$0\n", "foo(2)", [("1", "2")]),
        ("$0a\nb\nc\n$0", "a\nB\nc\n", [("b", "B")]),
        ("$0a\nb\nc\n$0", "A\nb\nC\n", [("a", "A"), ("c", "C")]),
        ("x = $0$0\n", "1", [("", "1")]),
        ("$0return 0$0\n", "return 0\n", [("", "\n")]),
        ("$0a\r\nb$0\r\n", "a\nc", [("b", "c")]),
    ],
)
def test_an_edit_is_as_small_as_can_be(
    marked: str, fill: str, expected: list[tuple[str, str]]
) -> None:
    """Only the changed characters of the changed lines are replaced."""
    text, spans = unmark(marked)

    found = to_replacements(snapshot_of(text), spans, [fill])

    assert [(text[r.span.start : r.span.end], r.text) for r in found] == expected


def test_several_spans_become_one_edit() -> None:
    """Holes are filled in one step of undo, each in its own place."""
    text, spans = unmark("f($0_$0, $0_$0)\n")

    found = to_replacements(snapshot_of(text), spans, ["a", "bc"])

    assert apply_replacements(text, found) == "f(a, bc)\n"


def test_a_client_that_can_gets_the_version() -> None:
    """A versioned edit is refused by the editor itself once the document moved on."""
    replacement = Replacement(Span(1, 2), "X")

    edit = to_workspace_edit(snapshot_of("abc"), [replacement], versioned=True)

    assert edit.changes is None
    assert edit.document_changes is not None
    (change,) = edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 1
    expected = types.Range(types.Position(0, 1), types.Position(0, 2))
    assert change.edits == [types.TextEdit(expected, "X")]


def test_a_client_that_can_not_gets_plain_changes() -> None:
    """Document changes are sent only to clients that announced them."""
    edit = to_workspace_edit(snapshot_of("abc"), [Replacement(Span(0, 1), "")], versioned=False)

    assert edit.document_changes is None
    assert list(edit.changes or ()) == ["file:///w/a.py"]


def open_document(text: str, version: int) -> OpenDocuments:
    """Return a workspace with the snapshot's document in another state."""
    workspace = OpenDocuments(None)
    workspace.put_text_document(types.TextDocumentItem("file:///w/a.py", "python", version, text))
    return workspace


@pytest.mark.parametrize(("text", "version"), [("abc", 2), ("abd", 1)])
def test_a_changed_document_makes_a_result_stale(text: str, version: int) -> None:
    """A new version, or a client that forgot to count, both drop the result."""
    document = open_document(text, version).opened("file:///w/a.py")

    with pytest.raises(StaleResult, match="changed while the model worked"):
        check_current(snapshot_of("abc"), document)


def test_a_closed_document_makes_a_result_stale() -> None:
    """There is nothing left to edit."""
    with pytest.raises(StaleResult, match="was closed"):
        check_current(snapshot_of("abc"), None)


def test_an_unchanged_document_is_current() -> None:
    """The same version and text pass."""
    check_current(snapshot_of("abc"), open_document("abc", 1).opened("file:///w/a.py"))
