"""Requests over a real port, to a runtime whose steps the test hands out."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.front import SelfRunning, events, fronting
from support.stepped import SteppedEngine
from support.wire import infill_request

from model_runtime.engines.remask import RemaskEngine
from model_runtime.errors import Busy, Cancelled
from model_runtime.http.metrics import Metrics
from model_runtime.protocol import Alternative, MaskSpan, Usage
from model_runtime.service.jobs import StopToken
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.protocol import Finished, StepReport

INFILL = {"input_prefix": "a", "input_suffix": "b"}


async def stepped(engine: SteppedEngine, *committed: str) -> None:
    """Take one step for each text that is then settled."""
    for text in committed:
        engine.committed = text
        await engine.step()


async def test_stream_grows_left_to_right(short_path: Path) -> None:
    """Each step's newly settled text is an event; the last one says how it ended."""
    engine = SteppedEngine()
    engine.text = "one two three"
    async with fronting(short_path, engine) as front:
        opening = asyncio.create_task(front.open("/infill", **INFILL, stream=True))
        await engine.started()
        await stepped(engine, "one")
        reply = await opening
        lines = reply.aiter_lines()
        texts = [await next_event(lines)]
        await stepped(engine, "one two")
        texts.append(await next_event(lines))
        engine.finish()
        last = await next_event(lines)
        await reply.aclose()

        assert [event["content"] for event in texts] == ["one", " two"]
        assert (last["content"], last["stop"], last["stop_type"]) == (" three", True, "eos")


async def next_event(lines: Any) -> Any:
    """Return the next event of a stream."""
    async for line in lines:
        if line:
            return msgspec.json.decode(line.removeprefix("data: "))
    raise AssertionError("the stream ended")


async def test_drafts_are_streamed_whole(short_path: Path) -> None:
    """Where `diffusing` is asked for, each event has the whole draft, masks and all."""
    engine = SteppedEngine()
    engine.draft = "a ░░ c"
    async with fronting(short_path, engine) as front:
        asked = asyncio.create_task(
            front.post("/v1/completions", model="remask", prompt="x", stream=True, diffusing=True)
        )
        await engine.started()
        await engine.step()
        engine.finish()
        found = events((await asked).text)

    assert found[-1] == "[DONE]"
    assert found[-2]["choices"][0]["text"] == "done"
    assert {event["choices"][0]["text"] for event in found[:-2]} <= {"a ░░ c"}


class Several(SelfRunning):
    """Has several answers, best first."""

    def infill(self, *arguments: Any) -> Any:
        """Give them all."""
        alternatives = tuple(Alternative(texts=(f"{word}\nand on",)) for word in ("a", "b", "a"))
        return msgspec.structs.replace(super().infill(*arguments), alternatives=alternatives)


async def test_several_fills_come_best_first(short_path: Path) -> None:
    """With `n` each is a choice of its own; those that a stop string makes equal are one."""
    body = {"model": "remask", "prompt": "x", "n": 3, "stop": "\n"}
    engine = Several()
    async with fronting(short_path, engine) as front:
        whole = (await front.post("/v1/completions", **body)).json()
        streamed = events((await front.post("/v1/completions", **body, stream=True)).text)
        asked = [await engine.started(), await engine.started()]

    assert [request.n_alternatives for request in asked] == [3, 3]
    expected = [(0, "a", "stop"), (1, "b", "stop")]
    assert [told(choice) for choice in whole["choices"]] == expected
    assert streamed[-1] == "[DONE]"
    assert [told(choice) for event in streamed[:-1] for choice in event["choices"]] == expected


def told(choice: Any) -> tuple[int, str, str]:
    """Return what a choice says."""
    return choice["index"], choice["text"], choice["finish_reason"]


async def test_stop_string_ends_the_fill_early(short_path: Path) -> None:
    """Once a stop string has settled, the reply goes out and the model is told to stop."""
    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        asked = asyncio.create_task(front.post("/infill", **INFILL, stop=["\n\n"]))
        await engine.started()
        await stepped(engine, "x = 1\n\ny")
        reply = (await asked).json()
        await engine.step()

    assert (reply["content"], reply["stop_type"], reply["stopping_word"]) == (
        "x = 1",
        "word",
        "\n\n",
    )
    assert engine.ends == [Cancelled]


async def test_client_that_leaves_frees_the_model(short_path: Path) -> None:
    """When a client hangs up, its job stops before the next step; streamed or not."""
    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        for body in (INFILL, INFILL | {"stream": True}):
            asked = asyncio.create_task(front.post("/infill", **body))
            await engine.started()
            asked.cancel()
            await asyncio.wait({asked})
            while not engine.ends:
                await engine.step()
            assert engine.ends.pop() is Cancelled


async def test_enough_is_enough(short_path: Path) -> None:
    """With a limit of time a fill ends at its first line after it, and not before it has one."""
    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        asked = asyncio.create_task(front.post("/infill", **INFILL, t_max_predict_ms=1))
        await engine.started()
        engine.committed = "x = "
        for _ in range(5):
            await engine.step()
        assert not asked.done()
        engine.committed = "x = 1\ny"
        while not engine.ends:
            await engine.step()
        reply = (await asked).json()

    assert (reply["content"], reply["stop_type"]) == ("x = 1\ny", "limit")
    assert engine.ends == [Cancelled]


async def test_warm_up_asks_nothing(short_path: Path) -> None:
    """llama.vim announces context with n_predict 0; that is answered at once, without the model."""
    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        reply = await front.post("/infill", input_prefix="", input_suffix="", n_predict=0)

    assert (reply.status_code, reply.json()["content"]) == (200, "")
    assert engine.ends == []


async def test_failure_before_text_has_a_status(short_path: Path) -> None:
    """A stream that fails before its first text is no stream, but a refusal with a status."""

    def refuse() -> None:
        raise Busy("later")

    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        asked = asyncio.create_task(front.post("/infill", **INFILL, stream=True))
        await engine.started()
        await engine.step(refuse)
        reply = await asked

    assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")
    assert reply.json()["error"]["message"] == "later"


async def test_failure_amid_text_is_an_event(short_path: Path) -> None:
    """A stream that fails later says so in its last event."""

    def refuse() -> None:
        raise Busy("later")

    engine = SteppedEngine()
    async with fronting(short_path, engine) as front:
        body = {"model": "remask", "prompt": "x", "stream": True}
        opening = asyncio.create_task(front.open("/v1/completions", **body))
        await engine.started()
        await stepped(engine, "x")
        reply = await opening
        lines = reply.aiter_lines()
        await next_event(lines)
        await engine.step(refuse)
        last = await next_event(lines)
        await reply.aclose()

    assert last["error"]["message"] == "later"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/infill", b"{", "error.message"),
        ("/infill", b"[1]", "error.message"),
        ("/infill", b"[" * 100_000, "error.message"),
        ("/infill", b'{"input_prefix": 1, "input_suffix": ""}', "error.message"),
        ("/v1/completions", b'{"model": "remask"}', "error.message"),
        ("/v1/completions", b'{"model": "remask", "prompt": "", "echo": true}', "error.param"),
        ("/v1/fim/completions", b'{"prompt": 1}', "message"),
        ("/v1/fim/completions", b'{"prompt": 1}', "error.param"),
    ],
)
async def test_bad_body_is_refused_in_the_dialects_shape(
    short_path: Path, path: str, body: bytes, where: str
) -> None:
    """What can't be read gets status 400, and the message where the dialect's clients look."""
    async with fronting(short_path) as front:
        reply = await front.client.post(path, content=body)

    found = reply.json()
    for key in where.split("."):
        found = found[key]
    assert reply.status_code == 400
    assert found


async def test_large_body_is_refused(short_path: Path) -> None:
    """A body over the limit is refused, whether it says its size or comes in chunks."""

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100

    async with fronting(short_path, max_body_bytes=1000) as front:
        told = await front.client.post("/infill", content=b" " * 2000)
        chunked = await front.client.post("/infill", content=chunks())

    assert (told.status_code, chunked.status_code) == (413, 413)


async def test_slow_body_is_refused(short_path: Path) -> None:
    """A client that does not send its body in time does not keep a place."""
    async with fronting(short_path, patience_s=0.05) as front:
        host, port = front.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        head = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert b"408" in head


async def test_client_that_does_not_read_frees_the_model(short_path: Path) -> None:
    """A client that takes nothing of its stream for too long loses it, and the model is free."""
    engine = SteppedEngine()
    async with fronting(short_path, engine, patience_s=0.05) as front:
        host, port = front.url.removeprefix("http://").split(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)  # noqa: FBT003  # its only argument
        await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
        body = msgspec.json.encode(INFILL | {"stream": True})
        head = f"POST /infill HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(client, head.encode() + body)
        await engine.started()
        engine.committed = "x" * 3_000_000
        while not engine.ends:
            engine.committed += "x"
            await engine.step()
        client.close()

    assert engine.ends == [Cancelled]


async def test_one_too_many_is_refused(short_path: Path) -> None:
    """Over the limit of fills a request is refused with a time to come back."""
    engine = SteppedEngine()
    async with fronting(short_path, engine, max_concurrent=1) as front:
        first = asyncio.create_task(front.post("/infill", **INFILL))
        await engine.started()
        second = await front.post("/infill", **INFILL)
        engine.finish()
        assert (await first).status_code == 200

    assert (second.status_code, "retry-after" in second.headers) == (429, True)


async def test_figures_tell_what_happened(short_path: Path) -> None:
    """Each request is counted by endpoint and outcome."""
    async with fronting(short_path) as front:
        await front.post("/infill", **INFILL)
        await front.post("/infill")
        figures = (await front.client.get("/metrics")).text

    assert 'remask_requests_total{endpoint="llama",outcome="filled"} 1.0' in figures
    assert 'remask_requests_total{endpoint="llama",outcome="bad_request"} 1.0' in figures
    assert "remask_open_requests 0.0" in figures
    assert 'remask_request_seconds_count{endpoint="llama"} 2.0' in figures
    assert "remask_runtime_waiting 0.0" in figures


def test_figures_tell_what_a_fill_cost() -> None:
    """Forwards, tokens for each, drafts that stayed and that did not, cache hits, the queue."""
    metrics = Metrics()
    metrics.spent(
        Usage(
            n_context_tokens=9,
            n_cached_tokens=7,
            n_tokens=8,
            n_forwards=4,
            n_drafted=5,
            n_accepted=3,
            queue_s=0.5,
        )
    )
    figures = metrics.exposition(2, None).decode().splitlines()

    assert {
        "remask_forwards_total 4.0",
        "remask_tokens_total 8.0",
        "remask_tokens_per_forward_sum 2.0",
        'remask_drafts_total{accepted="yes"} 3.0',
        'remask_drafts_total{accepted="no"} 2.0',
        'remask_context_tokens_total{cached="yes"} 7.0',
        'remask_context_tokens_total{cached="no"} 2.0',
        "remask_queue_seconds_sum 0.5",
        "remask_open_requests 2.0",
    } <= set(figures)


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/props", "/v1/models", "/openapi.json"])
async def test_server_tells_about_itself(short_path: Path, path: str) -> None:
    """What clients ask about a server is answered."""
    async with fronting(short_path) as front:
        reply = await front.client.get(path)

    assert reply.status_code == 200
    assert reply.json()


async def test_unknown_path_and_method(short_path: Path) -> None:
    """They are refused in the shape of the clients that such a path would have."""
    async with fronting(short_path) as front:
        missing = await front.client.get("/v1/nothing")
        wrong = await front.client.get("/infill")

    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_such_endpoint")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


async def test_a_bug_is_not_told_in_its_words(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw becomes status 500 and a number, without its message."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError("secret text")

    async with fronting(short_path) as front:
        monkeypatch.setattr("model_runtime.http.runtime.Runtime.status", fail)
        reply = await front.client.get("/health")

    assert reply.status_code == 500
    assert "secret" not in reply.text


async def test_requests_wait_for_each_other(short_path: Path) -> None:
    """Requests that come at once are all filled."""
    async with fronting(short_path) as front:
        replies = await asyncio.gather(*(front.post("/infill", **INFILL) for _ in range(5)))

    assert [reply.status_code for reply in replies] == [200] * 5


@pytest.mark.parametrize("stream", [False, True])
async def test_remask_asks_another(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """The engine `remask` has a request with two spans filled here, with every step if asked."""
    monkeypatch.setenv("REMASK_SERVE_TOKEN", "secret")
    request = infill_request(
        prefix="a", path="a.py", spans=(MaskSpan(), MaskSpan()), mode="holes", stream=stream
    )
    listener = Listener()
    async with fronting(short_path, token="secret") as front:
        settings = RuntimeSettings(remote_url=front.url, remote_files="*", remote_tries=1)

        def ask() -> Finished:
            engine = RemaskEngine(settings)
            try:
                return engine.infill(request, listener, StopToken())
            finally:
                engine.close()

        finished = await asyncio.to_thread(ask)

    assert finished.alternatives[0].texts == ("done",)
    assert finished.model == "stepped"
    assert len(listener.reports) <= int(stream)


class Listener:
    """Keeps what an engine tells."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Drop a notice."""

    def step(self, report: StepReport) -> None:
        """Keep a report."""
        self.reports.append(report)


async def test_origin_may_ask_where_allowed(short_path: Path) -> None:
    """An allowed page's preflight and request pass, and carry the browser's permission."""
    origin = {"origin": "https://ide.example"}
    async with fronting(short_path, allow_origins=("https://ide.example",)) as front:
        preflight = await front.client.options(
            "/infill", headers=origin | {"access-control-request-method": "POST"}
        )
        reply = await front.client.post("/infill", json=INFILL, headers=origin)

    assert (preflight.status_code, reply.status_code) == (200, 200)
    assert reply.headers["access-control-allow-origin"] == "https://ide.example"


@pytest.mark.parametrize(
    ("path", "body", "may_glance"),
    [
        ("/infill", INFILL, True),
        ("/infill", INFILL | {"remask": {"may_glance": False}}, False),
        ("/v1/completions", {"model": "remask", "prompt": "a", "suffix": "b"}, False),
        (
            "/v1/completions",
            {"model": "remask", "prompt": "a", "remask": {"may_glance": True}},
            True,
        ),
        ("/v1/fim/completions", {"prompt": "a", "suffix": "b"}, False),
    ],
)
async def test_who_may_be_shown_a_part_of_the_context(
    short_path: Path, path: str, body: dict[str, Any], *, may_glance: bool
) -> None:
    """Editors are, unless they say otherwise; scripts, which ask but once, are not."""
    engine = SelfRunning()
    async with fronting(short_path, engine) as front:
        reply = await front.post(path, **body)
        assert reply.status_code == 200, reply.text
        assert (await engine.started()).may_glance == may_glance
