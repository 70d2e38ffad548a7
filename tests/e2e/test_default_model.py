"""The main job, whole: a selection, the real runtime and model, an edit that parses."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import msgspec
import openai
import pytest
from lsprotocol import types
from support.language_client import Home, capabilities_of, language_client, new_home
from support.llama_vim import CLIENTS, llama_vim
from support.serve_process import serve_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.serve_process import Served

pytestmark = [pytest.mark.e2e, pytest.mark.real_model]

SAMPLE = Path(__file__).parents[1] / "samples" / "temperature.py"
URI = SAMPLE.as_uri()
#: The body of `fahrenheit_to_celsius`, which the sample leaves to be written.
UNWRITTEN = "return 0.0"


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """Yield a home whose runtime has the default model."""
    with new_home() as home:
        home.environment["REMASK_ENGINE"] = "local"
        del home.environment["REMASK_SCRIPT"]
        yield home
        await home.stop()


def selected(text: str) -> types.Range:
    """Return where the unwritten body stands."""
    before = text[: text.index(UNWRITTEN)]
    line, character = before.count("\n"), len(before) - before.rfind("\n") - 1
    return types.Range(
        types.Position(line, character), types.Position(line, character + len(UNWRITTEN))
    )


def apply(text: str, edit: types.WorkspaceEdit, uri: str) -> str:
    """Return the text after an edit of one file."""
    assert edit.document_changes is not None
    (change,) = edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.uri == uri
    lines = text.splitlines(keepends=True)
    for one in sorted(change.edits, key=lambda one: one.range.start, reverse=True):
        assert isinstance(one, types.TextEdit)
        start, end = one.range.start, one.range.end
        tail = lines[end.line][end.character :]
        head = lines[start.line][: start.character]
        lines[start.line : end.line + 1] = [head + one.new_text + tail]
    return "".join(lines)


async def test_a_code_action_fills_the_selection(home: Home) -> None:
    """The light bulb answers with data only; resolving it denoises and brings an edit."""
    text = SAMPLE.read_text()
    async with language_client(home, capabilities_of("visual_studio_code")) as client:
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "python", 1, text))
        )
        offered = await client.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(URI),
                selected(text),
                types.CodeActionContext([], only=["refactor.rewrite.remask.infill"]),
            )
        )
        assert offered
        assert isinstance(offered[0], types.CodeAction)
        assert offered[0].edit is None

        action = await client.code_action_resolve_async(offered[0])

    assert action.edit is not None
    edited = apply(text, action.edit, URI)
    ast.parse(edited)
    before, after = text.split(UNWRITTEN)
    assert edited != text
    assert edited.startswith(before)
    assert edited.endswith(after)


async def test_ghost_text_comes_between_prefix_and_suffix(home: Home) -> None:
    """An inline completion is text that the file parses with."""
    text = SAMPLE.read_text().replace(UNWRITTEN, "return ")
    position = selected(SAMPLE.read_text()).start
    position.character += len("return ")
    # The model is loaded first, on a machine that may be busy.
    patient = {"inline": {"deadlineSeconds": 300}}
    async with language_client(home, capabilities_of("neovim@0.11.0"), patient) as client:
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "python", 1, text))
        )
        found = await client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
                types.TextDocumentIdentifier(URI),
                position,
            )
        )

    assert isinstance(found, list | tuple)
    (item,) = found
    assert isinstance(item.insert_text, str)
    assert item.insert_text.strip()
    lines = text.splitlines(keepends=True)
    line = lines[position.line]
    lines[position.line] = (
        line[: position.character] + item.insert_text + line[position.character :]
    )
    ast.parse("".join(lines))


async def test_the_command_of_the_readme_prints_a_diff(home: Home) -> None:
    """`remask infill FILE:LINE` leaves the file alone and prints what it would change."""
    line = SAMPLE.read_text()[: SAMPLE.read_text().index(UNWRITTEN)].count("\n") + 1
    before = SAMPLE.read_bytes()

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lsp_server",
        "infill",
        f"{SAMPLE}:{line}",
        env=home.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert SAMPLE.read_bytes() == before
    diff = output.decode().splitlines()
    assert f"-    {UNWRITTEN}" in diff
    assert any(row.startswith("+    ") for row in diff)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The default model behind `remask serve`."""
    with serve_process(engine="local", flags=("--deadline-s", "400")) as served:
        yield served


#: What existing clients are asked to fill.
PREFIX, SUFFIX = "def area(width, height):\n    return ", "\n\n\nprint(area(2, 3))\n"


async def test_the_openai_library_gets_a_fill(served: Served) -> None:
    """Streamed and not, it is the same text, and the file parses with it."""
    ask = {"model": "remask", "prompt": PREFIX, "suffix": SUFFIX, "stop": ["\n"], "seed": 1}
    async with openai.AsyncOpenAI(
        base_url=f"{served.url}/v1", api_key="none", timeout=400
    ) as client:
        whole = await client.completions.create(**ask)  # type: ignore[call-overload]  # a dict
        stream = await client.completions.create(**ask, stream=True)  # type: ignore[call-overload]  # a dict
        pieces = [piece.choices[0].text async for piece in stream]

    text = whole.choices[0].text
    assert text.strip()
    assert "".join(pieces) == text
    ast.parse(PREFIX + text + SUFFIX)


def test_a_script_gets_a_fill(served: Served) -> None:
    """With nothing but an HTTP library; its events grow to the same text."""
    body = {"input_prefix": PREFIX, "input_suffix": SUFFIX, "stop": ["\n"], "seed": 1}
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=400) as client:
        whole = client.post("/infill", json=body).raise_for_status().json()
        with client.stream("POST", "/infill", json=body | {"stream": True}) as reply:
            lines = [line.removeprefix("data: ") for line in reply.iter_lines() if line]

    assert whole["content"].strip()
    assert "".join(msgspec.json.decode(line)["content"] for line in lines) == whole["content"]
    ast.parse(PREFIX + whole["content"] + SUFFIX)


@pytest.mark.nvim
@pytest.mark.parametrize("client", CLIENTS)
def test_llama_vim_shows_and_accepts_a_fill(
    client: str, served: Served, short_path: Path, tmp_path: Path
) -> None:
    """Its own configuration, pointed here, in a real Neovim."""
    file = tmp_path / "area.py"
    file.write_text(PREFIX + SUFFIX)
    with llama_vim(client, served.url, short_path, file) as vim:
        shown = vim.ask_at_the_end_of(2)
        vim.accept(2)
        lines = vim.lines

    assert lines[1].rstrip() == f"    return {shown}".rstrip()
    ast.parse("\n".join(lines))
