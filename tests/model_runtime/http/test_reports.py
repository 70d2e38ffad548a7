"""Faults that users of other servers reported, tried on this one: each with what is right."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest
from support.dialects import SPOKEN, Spoken
from support.front import SelfRunning, fronting
from support.late import LateEngine
from support.stepped import SteppedEngine

from model_runtime.errors import Cancelled
from model_runtime.http.forms import MAX_TOKENS
from model_runtime.http.limits import ServeSettings
from model_runtime.http.serve import listeners

if TYPE_CHECKING:
    from pathlib import Path

INFILL = {"input_prefix": "a", "input_suffix": "b"}
EACH = pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: spoken.path)


def saying(text: str) -> SelfRunning:
    """Return an engine with one answer."""
    engine = SelfRunning()
    engine.text = text
    return engine


@EACH
@pytest.mark.parametrize("field", ["prompt", "input_prefix", "content"])
async def test_half_a_character_is_read(short_path: Path, spoken: Spoken, field: str) -> None:
    """A context cut in the middle of an emoji is filled all the same, by whatever half."""
    body = json.dumps(spoken.body)
    if f'"{field}"' not in body:
        return
    start, end = f'"{field}": "', "\\ud83d"
    body = body.replace(start, start + end, 1)
    engine = SelfRunning()
    async with fronting(short_path, engine) as front:
        reply = await front.client.post(spoken.path, content=body.encode())
        assert reply.status_code == 200, reply.text
        request = await engine.started()

    assert "\ufffd" in request.prefix + request.instruction + request.spans[0].text


@EACH
async def test_a_stream_shows_whole_characters(short_path: Path, spoken: Spoken) -> None:
    """Half an emoji is held back until it is whole; the pieces make up the reply."""
    engine = SteppedEngine()
    engine.text = "a😀b"
    async with fronting(short_path, engine) as front:
        asked = asyncio.create_task(front.post(spoken.path, **spoken.body, stream=True))
        await engine.started()
        for text in ("a", "a\ufffd", "a\ufffd\ufffd", "a😀", "a😀b"):
            engine.committed = text
            await engine.step()
        engine.finish()
        pieces = spoken.pieces((await asked).text)

    assert "".join(pieces) == "a😀b"


@EACH
async def test_a_fill_ends_before_half_a_character(short_path: Path, spoken: Spoken) -> None:
    """Where the tokens run out in the middle of one, the reply ends before it."""
    async with fronting(short_path, saying("x = '\ufffd")) as front:
        whole = (await front.post(spoken.path, **spoken.body, stream=False)).json()
        stream = (await front.post(spoken.path, **spoken.body, stream=True)).text

    assert spoken.text(whole) == "".join(spoken.pieces(stream)) == "x = '"


async def test_drafts_show_no_half_character(short_path: Path) -> None:
    """In a draft it is one more place that is not settled."""
    engine = SteppedEngine()
    engine.draft = "a\ufffd"
    async with fronting(short_path, engine) as front:
        body = INFILL | {"stream": True, "diffusing": True}
        asked = asyncio.create_task(front.post("/infill", **body))
        await engine.started()
        await engine.step()
        engine.finish()
        stream = (await asked).text

    assert "\ufffd" not in stream
    assert "a░" in stream


async def test_windows_line_ends(short_path: Path) -> None:
    """The runtime is asked with plain ones, stops at them, and the reply has the client's own."""
    engine = saying("b\nc\nd")
    ask = {"input_prefix": "x\r\ny\r\n", "input_suffix": "\r\nz\r\n"}
    async with fronting(short_path, engine) as front:
        whole = (await front.post("/infill", **ask)).json()["content"]
        request = await engine.started()
        cut = (await front.post("/infill", **ask, stop=["\r\nd"])).json()["content"]
        line = (await front.post("/infill", **ask, stop=["\n"])).json()["content"]
        single = [(await engine.started()).spans[0].single_line for _ in range(2)]

    assert (request.prefix, request.suffix) == ("x\ny\n", "\nz\n")
    assert (whole, cut, line) == ("b\r\nc\r\nd", "b\r\nc", "b")
    assert single == [False, True]


async def test_windows_line_ends_in_a_stream(short_path: Path) -> None:
    """Its pieces make up the reply, and none tears a line end apart."""
    engine = SteppedEngine()
    engine.text = "b\nc"
    async with fronting(short_path, engine) as front:
        body = {"prompt": "x\r\n", "suffix": "\r\ny", "stream": True}
        asked = asyncio.create_task(front.post("/v1/completions", **body))
        await engine.started()
        for text in ("b", "b\r", "b\r\n", "b\nc"):
            engine.committed = text
            await engine.step()
        engine.finish()
        pieces = SPOKEN[2].pieces((await asked).text)

    assert "".join(pieces) == "b\r\nc"


@EACH
async def test_limits_of_every_size(short_path: Path, spoken: Spoken) -> None:
    """None is empty, and asks nothing of the model; a negative or huge one means all there is."""
    engine = saying("x")
    body = spoken.body | {"stream": False}
    async with fronting(short_path, engine) as front:
        for name in ("max_tokens", "n_predict", "max_completion_tokens"):
            empty = await front.post(spoken.path, **body, **{name: 0})
            assert spoken.text(empty.json()) == ""
        for value in (-1, 65535, 10_000, 10**400, 64.0, "64", None):
            reply = await front.post(spoken.path, **body, max_tokens=value)
            assert reply.status_code == 200, reply.text
        limits = [(await engine.started()).spans[0].max_tokens for _ in range(7)]

    assert limits == [MAX_TOKENS, MAX_TOKENS, MAX_TOKENS, MAX_TOKENS, 64, 64, None]
    assert len(engine.ends) == 7


@pytest.mark.parametrize(
    "path",
    [
        "//infill",
        "/infill/",
        "/v1/infill",
        "/v1/completions/",
        "//v1//completions",
        "/completions",
        "/v1/v1/completions",
        "/V1/Completions",
        "/api/v1/completions",
        "/beta/completions",
        "/v1/engines/codex/completions",
        "/fim/completions",
        "/chat/completions",
        "/generate",
    ],
)
async def test_a_path_is_found_however_it_is_put_together(short_path: Path, path: str) -> None:
    """Two slashes, one at the end, `/v1` twice or not at all: it means one endpoint."""
    body = INFILL | {"prompt": "a", "messages": SPOKEN[4].body["messages"], "stream": False}
    async with fronting(short_path) as front:
        # By hand: a client library would tidy it.
        request = front.client.build_request("POST", "/", json=body)
        request.url = httpx2.URL(front.url).copy_with(raw_path=path.encode())
        reply = await front.client.send(request)

    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("path", "near"), [("/infil", "/infill"), ("/v1/complete", "/v1/completions"), ("/x", "/v1")]
)
async def test_a_path_that_means_nothing_is_told_the_right_one(
    short_path: Path, path: str, near: str
) -> None:
    """A 404 says what to set."""
    async with fronting(short_path) as front:
        reply = await front.post(path)

    assert reply.status_code == 404
    assert near in reply.json()["error"]["message"]


@EACH
async def test_any_models_name_means_the_one(short_path: Path, spoken: Spoken) -> None:
    """There is one; the reply tells its real name."""
    body = spoken.body | {"stream": False}
    names = (None, "qwen2.5-coder:1.5b", "gpt-3.5-turbo-instruct", "codestral-2501", "", 5)
    async with fronting(short_path, saying("x")) as front:
        replies = [await front.post(spoken.path, **body, model=name) for name in names]
        replies.append(await front.post(spoken.path, **body))

    assert [reply.json()["model"] for reply in replies] == ["stepped"] * 7


async def test_a_model_of_any_name_is_described(short_path: Path) -> None:
    """`models.retrieve` and Ollama's show, with a slash and a colon in the name, too."""
    async with fronting(short_path) as front:
        one = (await front.client.get("/v1/models/gpt-9")).json()
        other = (await front.client.get("/v1/models/qwen/qwen2.5-coder:7b")).json()
        shown = (await front.post("/api/show", model="codellama")).json()

    assert one["id"] == other["id"] == "stepped"
    assert "insert" in shown["capabilities"]
    assert ".Suffix" in shown["template"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_both_loopbacks_answer(short_path: Path) -> None:
    """Where `localhost` is ::1 first, it is this server, too."""
    async with fronting(short_path) as front:
        port = httpx2.URL(front.url).port
        async with httpx2.AsyncClient(trust_env=False) as client:
            replies = [
                await client.get(f"http://{host}:{port}/health")
                for host in ("[::1]", "127.0.0.1", "localhost")
            ]

    assert [reply.status_code for reply in replies] == [200, 200, 200]


@pytest.mark.parametrize(
    ("origin", "allow"),
    [
        ("https://ide.example", ("https://ide.example/",)),
        ("vscode-webview://0a1b2c", ()),
        ("vscode-file://vscode-app", ()),
        ("app://obsidian.md", ()),
        ("tauri://localhost", ()),
    ],
)
async def test_an_allowed_page_may_send_any_header(
    short_path: Path, origin: str, allow: tuple[str, ...]
) -> None:
    """A preflight with a library's own headers passes; what is refused can be read by the page."""
    asks = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, x-stainless-os, x-anything",
    }
    async with fronting(short_path, allow_origins=allow, token="secret") as front:
        preflight = await front.client.options("/v1/completions", headers=asks)
        refused = await front.client.post("/v1/completions", headers={"origin": origin})

    assert preflight.status_code == 200
    assert "x-stainless-os" in preflight.headers["access-control-allow-headers"]
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "app"])
async def test_other_pages_may_not(short_path: Path, origin: str) -> None:
    """Neither ask nor preflight; the sentence names the flag that lets them."""
    async with fronting(short_path) as front:
        asks = {"origin": origin, "access-control-request-method": "POST"}
        preflight = await front.client.options("/infill", headers=asks)
        reply = await front.client.post("/infill", json=INFILL, headers={"origin": origin})

    assert (preflight.status_code, reply.status_code) == (403, 403)
    assert "--allow-origin" in reply.json()["error"]["message"]


async def test_a_model_that_is_coming_is_told_of(short_path: Path) -> None:
    """Health and fills say how far it is, at once; it goes on, and then both are there."""
    engine = LateEngine("Downloading late (34% of 491 MB)", 0.34)
    async with fronting(short_path, engine) as front:
        await engine.started()
        async with asyncio.timeout(20):
            while (health := await front.client.get("/health")).json()["progress"] is None:
                pass
        fill = await front.post("/infill", **INFILL)
        is_going_on = not engine.ends
        engine.finish()
        async with asyncio.timeout(20):
            while (ready := await front.client.get("/health")).status_code == 503:
                pass
        engine.finish()
        later = await front.post("/infill", **INFILL)

    assert (health.status_code, health.json()["progress"]) == (503, 0.34)
    assert (fill.status_code, "34%" in fill.json()["error"]["message"]) == (503, True)
    assert int(health.headers["retry-after"]) > 0
    assert int(fill.headers["retry-after"]) > 0
    assert is_going_on
    assert (ready.status_code, later.status_code) == (200, 200)


async def test_a_model_that_is_read_from_the_disk_is_waited_for(short_path: Path) -> None:
    """That takes seconds, so a fill waits; health still says "not yet"."""
    engine = LateEngine("Loading late", None)
    async with fronting(short_path, engine) as front:
        await engine.started()
        health = await front.client.get("/health")
        fill = asyncio.create_task(front.post("/infill", **INFILL))
        engine.finish()
        await engine.started()
        engine.finish()
        reply = await fill

    assert health.status_code == 503
    assert reply.status_code == 200


async def test_stop_lists_of_any_length(short_path: Path) -> None:
    """Seventeen, and more: the first that comes ends the fill."""
    stops = [f"<{i}>" for i in range(200)]
    async with fronting(short_path, saying("x<150>y<3>")) as front:
        reply = await front.post("/infill", **INFILL, stop=stops)

    assert (reply.json()["content"], reply.json()["stopping_word"]) == ("x", "<150>")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: LOCALHOST:8012\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost.\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: [::1]:11434\r\n\r\n",
    ],
)
async def test_old_clients_and_loud_names(short_path: Path, head: bytes) -> None:
    """HTTP/1.0 has no Host, and names have no case."""
    async with fronting(short_path) as front:
        url = httpx2.URL(front.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head)
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert b" 200 " in status


@EACH
async def test_a_stream_shows_at_once_that_it_lives(short_path: Path, spoken: Spoken) -> None:
    """Its head comes before any text, and something in between that its readers pass over."""
    engine = SteppedEngine()
    async with fronting(short_path, engine, headers_after_s=0.01, heartbeat_s=0.05) as front:
        reply = await front.open(spoken.path, **spoken.body, stream=True)
        await engine.started()
        lines = reply.aiter_lines()
        sign = await anext(lines)
        engine.finish()
        rest = [line async for line in lines]
        await reply.aclose()

    assert reply.status_code == 200
    assert sign.startswith(":") or spoken.pieces(sign) == [""]
    assert "".join(spoken.pieces("\n".join(rest))) == "done"


@EACH
@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_frees_the_model(
    short_path: Path, spoken: Spoken, *, stream: bool
) -> None:
    """In every dialect, before the first text and amid it: the job stops at its next step."""
    engine = SteppedEngine()
    async with fronting(short_path, engine, headers_after_s=0.01) as front:
        asked = asyncio.create_task(front.open(spoken.path, **spoken.body, stream=stream))
        await engine.started()
        if stream:
            reply = await asked
            engine.committed = "some text"
            await engine.step()
            await reply.aclose()
        else:
            asked.cancel()
            await asyncio.wait({asked})
        async with asyncio.timeout(20):
            while not engine.ends:
                await engine.step()

    assert engine.ends == [Cancelled]


async def test_several_prompts_are_filled_in_turn(short_path: Path) -> None:
    """Each has its choices, by index; streamed and not."""
    engine = saying("x")
    body = {"prompt": ["a", "b", "<|fim_prefix|>c<|fim_suffix|>d<|fim_middle|>"]}
    async with fronting(short_path, engine) as front:
        whole = (await front.post("/v1/completions", **body)).json()
        asked = [await engine.started() for _ in range(3)]
        stream = (await front.post("/v1/completions", **body, stream=True)).text
        ids = (await front.post("/v1/completions", prompt=[1, 2])).json()
        none = await front.post("/v1/completions", prompt=[])

    assert [(one.prefix, one.suffix) for one in asked] == [("a", ""), ("b", ""), ("c", "d")]
    assert [(c["index"], c["text"]) for c in whole["choices"]] == [(0, "x"), (1, "x"), (2, "x")]
    lines = [line.removeprefix("data: ") for line in stream.splitlines()]
    choices = [json.loads(line)["choices"][0] for line in lines if line.startswith("{")]
    assert {c["index"] for c in choices if c["finish_reason"]} == {0, 1, 2}
    assert "token ids" in ids["error"]["message"]
    assert none.status_code == 400


async def test_packed_bodies(short_path: Path) -> None:
    """Gzip is read; what nobody here knows is refused with what can be sent instead."""
    body = gzip.compress(json.dumps(INFILL).encode())
    async with fronting(short_path, saying("x")) as front:
        packed = await front.client.post(
            "/infill", content=body, headers={"content-encoding": "gzip"}
        )
        unknown = await front.client.post(
            "/infill", content=body, headers={"content-encoding": "zstd"}
        )

    assert packed.json()["content"] == "x"
    assert (unknown.status_code, "gzip" in unknown.text) == (415, True)
    assert "gzip" in unknown.headers["accept-encoding"]


@EACH
async def test_what_would_change_the_meaning_is_refused(short_path: Path, spoken: Spoken) -> None:
    """Lenient about form, and about nothing else: the field is named, wherever it stands."""
    meanings = {
        "echo": True,
        "logprobs": 3,
        "grammar": "root ::= x",
        "json_schema": {"type": "object"},
        "response_format": {"type": "json_object"},
        "format": "json",
        "n_probs": 5,
        "images": ["aGk="],
    }
    engine = SelfRunning()
    async with fronting(short_path, engine) as front:
        for field, value in meanings.items():
            reply = await front.post(spoken.path, **spoken.body, **{field: value})
            assert reply.status_code == 400
            assert field in reply.text

    assert engine.ends == []


@EACH
async def test_what_asks_for_nothing_is_taken(short_path: Path, spoken: Spoken) -> None:
    """Clients send every field they know, switched off."""
    off = {"echo": False, "logprobs": None, "grammar": "", "format": "", "images": []}
    off |= {"response_format": {"type": "text"}, "n_probs": 0, "json_schema": None}
    async with fronting(short_path) as front:
        reply = await front.post(spoken.path, **spoken.body, **off)

    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer secret"},
        {"authorization": "bearer  secret"},
        {"x-api-key": "secret"},
        {"api-key": "secret"},
    ],
    ids=str,
)
async def test_a_key_wherever_clients_put_it(short_path: Path, headers: dict[str, str]) -> None:
    """It is let in; without it, the sentence says where it comes from."""
    async with fronting(short_path, token="secret") as front:
        right = await front.client.post("/infill", json=INFILL, headers=headers)
        wrong = await front.client.post("/infill", json=INFILL, headers={"x-api-key": "x"})

    assert (right.status_code, wrong.status_code) == (200, 401)
    assert "REMASK_SERVE_TOKEN" in wrong.json()["error"]["message"]


async def test_the_cursor_behind_a_colon_gets_its_line(short_path: Path) -> None:
    """One line is wanted, and the model begins with a line end: that is passed over."""
    engine = SteppedEngine()
    engine.text = "\n    return w * h\n"
    async with fronting(short_path, engine) as front:
        body = {"prompt": "def area(w, h):", "suffix": "\n", "stop": "\n"}
        asked = asyncio.create_task(front.post("/v1/completions", **body))
        await engine.started()
        for text in ("\n", "\n    ", "\n    return", "\n    return w * h"):
            engine.committed = text
            await engine.step()
        engine.finish()
        reply = await asked

    assert reply.json()["choices"][0]["text"] == "    return w * h"


async def test_what_follows_is_not_streamed_before_it_is_sure(short_path: Path) -> None:
    """The runtime leaves out at the end what the file goes on with: a stream has not said it."""
    engine = SteppedEngine()
    engine.text = "hello"
    async with fronting(short_path, engine) as front:
        body = {"prompt": 'print("', "suffix": '")\n', "stream": True}
        asked = asyncio.create_task(front.post("/v1/completions", **body))
        await engine.started()
        for text in ("hel", "hello", 'hello"', 'hello")'):
            engine.committed = text
            await engine.step()
        engine.finish()
        pieces = SPOKEN[2].pieces((await asked).text)

    assert "".join(pieces) == "hello"


async def test_a_port_that_is_taken_is_told(short_path: Path) -> None:
    """In a sentence, before anything is served."""
    async with fronting(short_path) as front:
        port = httpx2.URL(front.url).port
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1: another program does"):
            listeners(ServeSettings(port=port))


async def test_ollamas_port_is_a_second_one(short_path: Path) -> None:
    """All dialects answer on both."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with fronting(short_path, saying("x"), ollama_port=port) as front:
        async with httpx2.AsyncClient(trust_env=False) as client:
            reply = await client.post(
                f"http://127.0.0.1:{port}/api/generate", json={"prompt": "a", "stream": False}
            )
        own = await front.post("/api/generate", prompt="a", stream=False)

    assert reply.json()["response"] == own.json()["response"] == "x"
