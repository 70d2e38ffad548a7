"""The main job, whole: a selection, the real runtime and model, an edit that parses."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest
from lsprotocol import types
from support.language_client import Home, capabilities_of, language_client, new_home
from support.llama_vim import CLIENTS, llama_vim
from support.serve_process import serve_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.serve_process import Served

pytestmark = [pytest.mark.e2e, pytest.mark.real_model]

SAMPLE = Path(__file__).parents[1] / "samples" / "temperature.py"
URI = SAMPLE.as_uri()
#: The body of `fahrenheit_to_celsius`, which the sample leaves to be written.
UNWRITTEN = "return 0.0"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Yield a home whose runtime has the default model, which is loaded once for these tests."""
    with new_home() as home:
        home.environment["REMASK_ENGINE"] = "local"
        del home.environment["REMASK_SCRIPT"]
        yield home
        asyncio.run(home.stop())


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
def served(home: Home) -> Iterator[Served]:
    """The same runtime behind `remask serve`."""
    flags = ("--deadline-s", "400", "--idle-exit-s", home.environment["REMASK_IDLE_EXIT_S"])
    flags += ("--directory", home.environment["REMASK_RUNTIME_DIR"])
    with serve_process(engine="local", flags=flags) as served:
        yield served


#: What existing clients are asked to fill.
PREFIX, SUFFIX = "def area(width, height):\n    return ", "\n\n\nprint(area(2, 3))\n"


async def test_the_openai_library_gets_a_fill(served: Served) -> None:
    """Streamed and not, it is the same text, and the file parses with it."""
    import openai  # noqa: PLC0415  # large, and every worker reads this file

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


#: A fill that is hardly in doubt, and that can be run.
BEFORE = '''def is_even(number):
    """Say whether a number is even."""
    return '''
BEHIND = "\n\n\nprint(is_even(4))\n"
#: The marks that clients write into a prompt, by the model they believe to talk to.
MARKED = {
    "qwen": f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{BEHIND}<|fim_middle|>",
    "starcoder": f"<fim_prefix>{BEFORE}<fim_suffix>{BEHIND}<fim_middle>",
    "deepseek": f"<｜fim▁begin｜>{BEFORE}<｜fim▁hole｜>{BEHIND}<｜fim▁end｜>",  # noqa: RUF001  # so spelled
    "codellama": f"<PRE> {BEFORE} <SUF>{BEHIND} <MID>",
    "codestral": f"[SUFFIX]{BEHIND}[PREFIX]{BEFORE}",
}
BETWEEN = {"prompt": BEFORE, "suffix": BEHIND}
#: Every way to ask for that fill: where, with what, and where the reply has it.
WAYS: dict[str, tuple[str, dict[str, Any], tuple[Any, ...]]] = {
    "llama": ("/infill", {"input_prefix": BEFORE, "input_suffix": BEHIND}, ("content",)),
    "llama_line": (
        "/infill",
        {"input_prefix": BEFORE[:-11], "prompt": BEFORE[-11:], "input_suffix": BEHIND},
        ("content",),
    ),
    "completion": ("/completion", {"prompt": MARKED["qwen"]}, ("content",)),
    "openai": ("/v1/completions", BETWEEN, ("choices", 0, "text")),
    "fim": ("/v1/fim/completions", BETWEEN, ("choices", 0, "message", "content")),
    "ollama": ("/api/generate", BETWEEN, ("response",)),
    "ollama_marked": ("/api/generate", {"prompt": MARKED["codellama"], "raw": True}, ("response",)),
    **{
        name: ("/v1/completions", {"prompt": prompt}, ("choices", 0, "text"))
        for name, prompt in MARKED.items()
    },
}


def ask(client: httpx2.Client, path: str, body: dict[str, Any], place: tuple[Any, ...]) -> str:
    """Return the text of a reply that is not streamed."""
    reply = client.post(path, json=body | {"seed": 1, "stream": False}).raise_for_status().json()
    for key in place:
        reply = reply[key]
    assert isinstance(reply, str)
    return reply


def test_every_dialect_gets_the_same_fill(served: Served) -> None:
    """With a suffix or with any model's marks in the prompt: it is one fill, and it is right."""
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=400) as client:
        texts = {name: ask(client, *way) for name, way in WAYS.items()}

    assert set(texts.values()) == {texts["llama"]}, texts
    names: dict[str, Any] = {}
    exec(BEFORE + texts["llama"], names)  # noqa: S102  # that it runs is the test
    assert [bool(names["is_even"](number)) for number in (2, 3, 8)] == [True, False, True]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/chat/completions", ("choices", 0, "message", "content")),
        ("/api/chat", ("message", "content")),
    ],
)
def test_an_instruction_by_chat_is_followed(
    path: str, place: tuple[Any, ...], served: Served
) -> None:
    """A name in a function that the messages hold is another one in the reply, and all else is."""
    code = "def area(w, h):\n    return w * h"
    said = f"Rename the parameter w to width.\n```python\n{code}\n```\n"
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=400) as client:
        text = ask(client, path, {"messages": [{"role": "user", "content": said}]}, place)

    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == "area"
    assert function.args.args[0].arg == "width"
    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102  # likewise
    assert names["area"](2, 3) == 6


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("name = 'x'\nprint(\"hello", '")\n'),
        ('GREETING = "', '"\n'),
        ("const limit = 10;\n// lim", " of the loop\n"),
        ("def area(w, h):\n    return w * ", "  # of a rectangle\n\n\nprint(area(2, 3))\n"),
    ],
)
def test_what_stands_behind_on_the_line_stays_the_end_of_it(
    prefix: str, suffix: str, served: Served
) -> None:
    """Without a stop string it is one line, and what the line goes on with is not said twice."""
    body = {"input_prefix": prefix, "input_suffix": suffix}
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=400) as client:
        text = ask(client, "/infill", body, ("content",))

    rest = suffix.partition("\n")[0]
    assert "\n" not in text
    assert not text.endswith(rest)
    if not prefix.startswith("const"):
        ast.parse(prefix + text + suffix)


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
