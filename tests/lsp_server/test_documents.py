"""Positions, the mirror of open documents, and snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from support.marked import snapshot_of

from lsp_server.documents import (
    UTF8,
    UTF16,
    UTF32,
    DocumentSnapshot,
    LineMap,
    Span,
)
from lsp_server.errors import BadSelection, UnsupportedDocument
from lsp_server.mirror import OpenDocuments

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = (UTF8, UTF16, UTF32)
UNIT_BYTES = {UTF8: ("utf-8", 1), UTF16: ("utf-16-le", 2), UTF32: ("utf-32-le", 4)}

#: What desyncs a mirror: each line end, characters Python takes for one, all widths, a BOM, a tab.
ODD = "ab\n\r\t\f\v\x1c\x85\u2028\u2029\ufeffßé€😀🇩"
texts = st.text(st.sampled_from(ODD), max_size=40)
encodings = st.sampled_from(ENCODINGS)


def reference_positions(text: str, encoding: str) -> dict[int, tuple[int, int]]:
    """Return every offset a cursor can have with its position, found character by character."""
    codec, width = UNIT_BYTES[encoding]
    found, line, start = {}, 0, 0
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] == "\r\n" and offset:
            continue
        if offset and (text[offset - 1] in "\r\n"):
            line, start = line + 1, offset
        found[offset] = (line, len(text[start:offset].encode(codec)) // width)
    return found


def position(line: int, character: int) -> types.Position:
    """Return a position."""
    return types.Position(line, character)


@given(texts, encodings)
def test_positions_and_offsets_agree_with_a_plain_count(text: str, encoding: str) -> None:
    """Every place of every text converts as a count by hand does, there and back."""
    lines = LineMap(text, encoding)
    for offset, expected in reference_positions(text, encoding).items():
        found = lines.position_at(offset)
        assert (found.line, found.character) == expected
        assert lines.offset_at(found) == offset


@given(texts, texts, encodings, st.data())
def test_an_edit_changes_the_mirror_as_it_changes_the_editor(
    text: str, new: str, encoding: str, data: st.DataObject
) -> None:
    """The mirror stays in step through any edit of any text, in each encoding."""
    places = reference_positions(text, encoding)
    start, end = sorted(data.draw(st.lists(st.sampled_from(list(places)), min_size=2, max_size=2)))
    workspace = OpenDocuments(None, position_encoding=types.PositionEncodingKind(encoding))
    item = types.TextDocumentItem("file:///a.py", "python", 1, text)
    workspace.put_text_document(item)
    changed = types.Range(position(*places[start]), position(*places[end]))

    workspace.update_text_document(
        types.VersionedTextDocumentIdentifier(2, item.uri),
        types.TextDocumentContentChangePartial(changed, new),
    )

    document = workspace.opened(item.uri)
    assert document is not None
    assert document.source == text[:start] + new + text[end:]
    assert document.version == 2


@given(texts, st.lists(texts, min_size=2, max_size=6), encodings, st.data())
def test_many_edits_in_a_row_stay_in_step(
    text: str, news: list[str], encoding: str, data: st.DataObject
) -> None:
    """Each change counts its places in what the one before left, line ends made or parted by it."""
    workspace = OpenDocuments(None, position_encoding=types.PositionEncodingKind(encoding))
    uri = "file:///a.py"
    workspace.put_text_document(types.TextDocumentItem(uri, "python", 1, text))
    for version, new in enumerate(news, 2):
        places = reference_positions(text, encoding)
        two = data.draw(st.lists(st.sampled_from(list(places)), min_size=2, max_size=2))
        start, end = sorted(two)
        changed = types.Range(position(*places[start]), position(*places[end]))
        workspace.update_text_document(
            types.VersionedTextDocumentIdentifier(version, uri),
            types.TextDocumentContentChangePartial(changed, new),
        )
        text = text[:start] + new + text[end:]

    (document,) = workspace.recent()
    assert document.source == text


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("odd", ["", "é", "😀"])
@pytest.mark.timeout(20)
def test_five_thousand_changes_of_a_long_file_are_no_matter(line_end: str, odd: str) -> None:
    """A replace-all comes as thousands of changes at once; each used to count half a megabyte."""
    line = f"    {odd}value = compute(argument, other)  # a comment{line_end}"
    n_lines = 500_000 // len(line)
    workspace = OpenDocuments(None)
    item = types.TextDocumentItem("file:///a.py", "python", 1, line * n_lines)
    workspace.put_text_document(item)
    start = 4 + len(odd.encode("utf-16-le")) // 2

    for change in range(5_000):
        at = n_lines - 1 - change
        workspace.update_text_document(
            types.VersionedTextDocumentIdentifier(2, item.uri),
            types.TextDocumentContentChangePartial(
                types.Range(position(at, start), position(at, start + 5)), "amount"
            ),
        )

    (document,) = workspace.recent()
    assert document.source == line * (n_lines - 5_000) + line.replace("value", "amount") * 5_000


@pytest.mark.timeout(30)
def test_five_thousand_changes_of_one_long_line_are_no_matter() -> None:
    """What is minified is one line; it need not be looked through for line ends with each."""
    word = "'é' + value + "
    workspace = OpenDocuments(None)
    text = f"x = {word * 20_000}1"
    workspace.put_text_document(types.TextDocumentItem("file:///a.js", "javascript", 1, text))
    for change in range(5_000):
        at = text.rindex(word, 0, len(text) - change * len(word)) + 6
        workspace.update_text_document(
            types.VersionedTextDocumentIdentifier(2, "file:///a.js"),
            types.TextDocumentContentChangePartial(
                types.Range(position(0, at), position(0, at + 5)), "amount"
            ),
        )

    (document,) = workspace.recent()
    changed = word.replace("value", "amount") * 5_000
    assert document.source == f"x = {word * 15_000}{changed}1"


def test_a_character_typed_in_two_halves_is_one() -> None:
    """Editors that count in UTF-16 may send an astral character's halves as two changes."""
    workspace = OpenDocuments(None)
    workspace.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, "a = ''\n"))
    for column, half in ((5, "\ud83d"), (6, "\ude00")):
        place = types.Range(position(0, column), position(0, column))
        workspace.update_text_document(
            types.VersionedTextDocumentIdentifier(2, "file:///a.py"),
            types.TextDocumentContentChangePartial(place, half),
        )

    (document,) = workspace.recent()
    assert DocumentSnapshot.take(document, UTF16).text == "a = '😀'\n"


def test_a_change_without_a_range_replaces_the_whole_text() -> None:
    """Clients may send the full text although the server asked for changes."""
    workspace = OpenDocuments(None)
    workspace.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, "old"))

    workspace.update_text_document(
        types.VersionedTextDocumentIdentifier(2, "file:///a.py"),
        types.TextDocumentContentChangeWholeDocument("new"),
    )

    assert [document.source for document in workspace.recent()] == ["new"]


@pytest.mark.parametrize("start", [(0, 0), (1, 1), (7, 3)])
def test_a_change_past_the_end_reaches_to_the_end(start: tuple[int, int]) -> None:
    """Clients that replace all the rest say a line that is surely behind it."""
    workspace = OpenDocuments(None)
    workspace.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, "ab\ncd"))
    rest = types.Range(position(*start), position(99_999, 5))

    workspace.update_text_document(
        types.VersionedTextDocumentIdentifier(2, "file:///a.py"),
        types.TextDocumentContentChangePartial(rest, "X"),
    )

    kept = {(0, 0): "", (1, 1): "ab\nc", (7, 3): "ab\ncd"}[start]
    assert [(each.source, each.version) for each in workspace.recent()] == [(f"{kept}X", 2)]


def test_the_document_used_last_comes_first() -> None:
    """Opening, changing and touching a document each make it the most recent."""
    workspace = OpenDocuments(None)
    for name in "abc":
        workspace.put_text_document(types.TextDocumentItem(f"file:///{name}", "python", 1, name))
    workspace.touch("file:///b")
    workspace.update_text_document(
        types.VersionedTextDocumentIdentifier(2, "file:///a"),
        types.TextDocumentContentChangeWholeDocument("a"),
    )

    assert [document.source for document in workspace.recent()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "place", "offset"),
    [
        ("ab\ncd", (0, 99), 2),
        ("ab\r\ncd", (0, 99), 2),
        ("ab\ncd", (2, 0), 5),
        ("", (0, 0), 0),
        ("", (1, 0), 0),
        ("ab\n", (2, 0), 3),
    ],
)
def test_a_column_past_the_end_is_the_end(text: str, place: tuple[int, int], offset: int) -> None:
    """Columns are cut to the line, and the line after the last means the end, as clients expect."""
    assert LineMap(text, UTF16).offset_at(position(*place)) == offset


@pytest.mark.parametrize("place", [(2, 1), (3, 0), (99, 0)])
def test_a_line_outside_the_document_is_refused(place: tuple[int, int]) -> None:
    """The message names the line and how many there are."""
    with pytest.raises(BadSelection, match=rf"Line {place[0] + 1} is outside .* has 2 lines"):
        LineMap("ab\ncd", UTF16).offset_at(position(*place))


@pytest.mark.parametrize(("encoding", "n_units"), [(UTF8, 4), (UTF16, 2)])
def test_a_column_inside_a_character_means_its_start(encoding: str, n_units: int) -> None:
    """No position parts an astral character."""
    lines = LineMap("😀x", encoding)

    offsets = [lines.offset_at(position(0, column)) for column in range(n_units + 2)]

    assert offsets == [*([0] * n_units), 1, 2]


def test_a_reversed_selection_is_refused() -> None:
    """A range whose end stands before its start selects nothing anyone meant."""
    snapshot = snapshot_of("abc")

    with pytest.raises(BadSelection, match="ends before it starts"):
        snapshot.span_of(types.Range(position(0, 2), position(0, 1)))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_selection_behind_astral_characters_is_exact(encoding: str) -> None:
    """What stands before a selection takes different columns in each encoding, never the text."""
    text = "s = '😀🇩é' + tail\n"
    snapshot = snapshot_of(text, encoding=encoding)
    start = text.index("tail")
    line, character = reference_positions(text, encoding)[start]

    span = snapshot.span_of(types.Range(position(line, character), position(line, character + 4)))

    assert text[span.start : span.end] == "tail"
    assert snapshot.range_of(span).start == position(line, character)


@given(texts)
def test_offsets_and_bytes_convert_both_ways(text: str) -> None:
    """tree-sitter counts bytes of UTF-8; every offset survives the way there and back."""
    snapshot = snapshot_of(text)

    for offset in range(len(text) + 1):
        n_bytes = snapshot.utf8_of(offset)
        assert n_bytes == len(text[:offset].encode())
        assert snapshot.offset_of_utf8(n_bytes) == offset


@pytest.mark.parametrize(
    ("text", "line_end"),
    [
        ("a\nb\n", "\n"),
        ("a\r\nb\r\n", "\r\n"),
        ("a\r\nb\r\nc\n", "\r\n"),
        ("a\rb\r", "\r"),
        ("", "\n"),
        ("a\r\nb\n", "\n"),
    ],
)
def test_the_line_end_is_the_one_used_most(text: str, line_end: str) -> None:
    """A new line in a file with mixed ends gets the usual one; a tie goes to the plain one."""
    assert snapshot_of(text).line_end == line_end


@dataclass(frozen=True)
class Refusal:
    """A file's bytes and what is said of them."""

    data: bytes
    says: str


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(b"\x7fELF\0\0", "is binary"),
        Refusal(b"caf\xe9 = 1\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    """Binary, badly encoded and overlarge files are named with the reason."""
    path = tmp_path / "a.bin"
    path.write_bytes(refusal.data)

    with pytest.raises(UnsupportedDocument, match=refusal.says):
        DocumentSnapshot.read(path, "")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names the file and the system's reason."""
    with pytest.raises(UnsupportedDocument, match=r"Can't read .*gone.py: No such file"):
        DocumentSnapshot.read(tmp_path / "gone.py", "")


def test_half_a_character_is_refused() -> None:
    """JSON can carry a lone surrogate, which the wire can't."""
    document = OpenDocuments(None)
    document.put_text_document(types.TextDocumentItem("untitled:1", "python", 1, "a\ud800"))
    opened = document.opened("untitled:1")
    assert opened is not None

    with pytest.raises(UnsupportedDocument, match="half characters"):
        DocumentSnapshot.take(opened, UTF16)


def test_an_untitled_buffer_has_no_path() -> None:
    """Only what lies in the file system has a path."""
    workspace = OpenDocuments(None)
    workspace.put_text_document(types.TextDocumentItem("untitled:Untitled-1", "python", 1, "a"))
    (document,) = workspace.recent()

    snapshot = DocumentSnapshot.take(document, UTF16)

    assert (snapshot.path, snapshot.uri, snapshot.text) == ("", "untitled:Untitled-1", "a")


def test_a_file_is_read_byte_for_byte(tmp_path: Path) -> None:
    """Line ends, a byte order mark and odd characters are as the file has them."""
    text = "\ufeffa\r\nb\rc\n\tx\f\u2028y"
    path = tmp_path / "a.py"
    path.write_bytes(text.encode())

    snapshot = DocumentSnapshot.read(path, "python")

    assert snapshot.text == text
    assert [snapshot.lines.line(i) for i in range(4)] == [
        Span(0, 2),
        Span(4, 5),
        Span(6, 7),
        Span(8, 13),
    ]
