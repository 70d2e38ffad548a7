"""Odd documents through a real server: encodings, line ends, and what can't be worked on."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from support.fake_remote import fake_remote
from support.language_client import Home, capabilities_of, language_client
from support.remote_failures import FILL, environment, good

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lsp import LanguageClient

pytestmark = pytest.mark.e2e

URI = "file:///w/a.py"
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def capabilities_in(encoding: str) -> types.ClientCapabilities:
    """Return VS Code's capabilities with another position encoding."""
    capabilities = copy.deepcopy(capabilities_of("visual_studio_code"))
    kind = types.PositionEncodingKind(encoding)
    capabilities.general = types.GeneralClientCapabilities(position_encodings=[kind])
    return capabilities


def open_document(
    client: LanguageClient, text: str, uri: str = URI, language: str = "python"
) -> None:
    """Open a document."""
    item = types.TextDocumentItem(uri, language, 1, text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))


def place(line: int, start: int, end: int) -> types.Range:
    """Return a range in one line."""
    return types.Range(types.Position(line, start), types.Position(line, end))


async def fill(client: LanguageClient, selected: types.Range, uri: str = URI) -> Any:
    """Have a selection filled by the command; return the edit, or None where there is none."""
    start, end = selected.start, selected.end
    plain = {
        "start": {"line": start.line, "character": start.character},
        "end": {"line": end.line, "character": end.character},
    }
    arguments = [{"uri": uri, "ranges": [plain]}]
    await client.workspace_execute_command_async(
        types.ExecuteCommandParams("remask.infill", arguments)
    )
    applied = client.applied  # type: ignore[attr-defined]  # see `language_client`
    return applied[-1].edit.document_changes[0].edits if applied else None


def expect(home: Home, prefix: str) -> None:
    """Let the model answer "right" for exactly this text before the span, else "wrong"."""
    exactly = rf"\A{re.escape(prefix)}\Z"
    home.answer({"when": exactly, "texts": ["right"]}, {"texts": ["wrong"]})


@pytest.mark.parametrize("encoding", CODECS)
async def test_each_encoding_is_exact_behind_astral_characters(home: Home, encoding: str) -> None:
    """The selection the client means is the one that is filled, and the edit lands on it."""
    codec, width = CODECS[encoding]
    expect(home, "s = '😀é€'; x = ")
    async with language_client(home, capabilities_in(encoding)) as client:
        open_document(client, "s = '😀é€'; x = 0; y = '😀'\n")
        start = len("s = '😀é€'; x = ".encode(codec)) // width

        (edit,) = await fill(client, place(0, start, start + 1))

    assert edit == types.TextEdit(place(0, start, start + 1), "right")


@pytest.mark.parametrize("odd", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
async def test_edits_behind_odd_characters_stay_in_step(home: Home, odd: str) -> None:
    """What Python takes for a line end and LSP does not; pygls' own mirror goes astray there."""
    expect(home, f"a{odd}b\nZcd\n")
    async with language_client(home, capabilities_in("utf-16")) as client:
        open_document(client, f"a{odd}b\ncd\nx\n")
        document = types.VersionedTextDocumentIdentifier(2, URI)
        typed = types.TextDocumentContentChangePartial(place(1, 0, 0), "Z")
        client.text_document_did_change(types.DidChangeTextDocumentParams(document, [typed]))

        (edit,) = await fill(client, place(2, 0, 1))

    assert edit == types.TextEdit(place(2, 0, 1), "right")


@pytest.mark.parametrize(
    ("text", "prefix", "new_text"),
    [
        ("if a:\r\n\tx\r\n", "if a:\n\t", "p\r\n\tq"),
        ("\ufeffif a:\n\tx\n", "if a:\n\t", "p\n\tq"),
        ("if a:\r\n\tx\nb\r\nc\r\n", "if a:\n\t", "p\r\n\tq"),
        ("if a:\r\tx\r", "if a:\n\t", "p\r\tq"),
    ],
)
async def test_a_document_keeps_its_line_ends(
    home: Home, text: str, prefix: str, new_text: str
) -> None:
    """The model reads plain newlines; the edit has the document's own, tabs and all."""
    home.answer({"when": rf"\A{prefix}\Z", "texts": ["p\n\tq"]}, {"texts": ["wrong"]})
    async with language_client(home, capabilities_in("utf-16")) as client:
        open_document(client, text)

        (edit,) = await fill(client, place(1, 1, 2))

    assert edit.new_text == new_text


async def test_any_language_and_an_empty_document_can_be_filled(home: Home) -> None:
    """Without a grammar, without a file, without a character."""
    async with language_client(home, capabilities_in("utf-16")) as client:
        open_document(client, "", "untitled:Untitled-1", "cobol")

        (edit,) = await fill(client, place(0, 0, 0), "untitled:Untitled-1")

    assert edit == types.TextEdit(place(0, 0, 0), "return 1")


@pytest.mark.timeout(60)
async def test_a_replace_all_in_a_long_file_does_not_stop_the_server(home: Home) -> None:
    """5,000 changes in one message, with CRLF; what is asked behind them is answered."""
    line = "    value = compute(argument, other)  # a comment\r\n"
    expect(home, "    amount = compute(argument, other)  # a comment\n" * 5_000)
    async with language_client(home, capabilities_in("utf-16")) as client:
        open_document(client, line * 9_600)
        document = types.VersionedTextDocumentIdentifier(2, URI)
        changes: list[types.TextDocumentContentChangeEvent] = [
            types.TextDocumentContentChangePartial(place(at, 4, 9), "amount") for at in range(5_000)
        ]
        client.text_document_did_change(types.DidChangeTextDocumentParams(document, changes))

        (edit,) = await fill(client, place(5_000, 0, 9))

    assert edit.new_text == "right"


@pytest.mark.parametrize(
    ("text", "uri", "selected", "says"),
    [
        ("x\0y\n", URI, place(0, 0, 1), "is binary"),
        ("x = 0\n", URI, place(9, 0, 1), "Line 10 is outside"),
        ("x = 0\n", URI, place(0, 3, 1), "ends before it starts"),
        ("x" * 101, URI, place(0, 0, 1), "more than the limit"),
        ("KEY=1\n", "file:///w/.env", place(0, 0, 1), "may hold secrets"),
    ],
)
async def test_what_can_not_be_filled_is_said(
    home: Home, text: str, uri: str, selected: types.Range, says: str
) -> None:
    """One plain message; no edit, and no runtime started for it."""
    settings = {"maxFileBytes": 100}
    async with language_client(home, capabilities_in("utf-16"), settings) as client:
        open_document(client, text, uri)

        assert await fill(client, selected, uri) is None

        (shown,) = client.messages
        assert says in shown.message
    assert await home.status() is None


async def test_other_open_files_are_context_and_secrets_are_not(home: Home, tmp_path: Path) -> None:
    """What the model sees of the workspace, written down by a stand-in for another Remask.

    Of other files it is what they define, on the disk or not; where it goes, and what of it, the
    server tells who asks.
    """
    folder = tmp_path / "pkg"
    folder.mkdir()
    (folder / "disk.py").write_text("def on_disk(a): ...\n")
    (folder / "secrets.py").write_text("def hidden(a): ...\n")
    text = "from near import NEAR\nfrom disk import on_disk\nfrom secrets import hidden\n0\n"
    files = {
        folder / "near.py": "NEAR = 1\n",
        folder / ".env": "TOKEN = 1\n",
        tmp_path / "outside.py": "OUTSIDE = 1\n",
    }
    uri = (folder / "a.py").as_uri()
    with fake_remote(good("remask")) as remote:
        home.environment |= environment("remask", remote.url)
        async with language_client(home, capabilities_in("utf-16"), root=folder) as client:
            for path, content in files.items():
                open_document(client, content, path.as_uri())
            open_document(client, text, uri)
            nothing = await client.protocol.send_request_async("remask/shown", {"uri": uri})
            seen: dict[str, Any] = {}
            # The index starts with the first edit, which does not wait for ever.
            while not seen.get("context"):
                (edit,) = await fill(client, place(3, 0, 1), uri)
                *_, (_, _, seen) = remote.requests
            n_requests = len(remote.requests)
            told = await client.protocol.send_request_async("remask/shown", {"uri": uri})

    assert edit.new_text == FILL
    assert (seen["path"], seen["prefix"], seen["suffix"]) == ("a.py", text[:-2], "\n")
    assert sorted(seen["context"], key=lambda file: file["path"]) == [
        {"path": "disk.py", "text": "def on_disk(a)\n"},
        {"path": "near.py", "text": "NEAR = 1\n"},
    ]
    assert nothing is None
    assert "File disk.py:\ndef on_disk(a)\n" in told.text
    assert "hidden(a)" not in told.text
    # Nothing was sent for it.
    assert len(remote.requests) == n_requests
