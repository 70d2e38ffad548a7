"""The libraries that people's tools are made with, against a real server.

None is told anything but its address. Each fills, streams, cancels, meets an error and reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from support.editors import ROOT, http_clients, node
from support.serve_process import serve_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.serve_process import Served

pytestmark = pytest.mark.e2e

FILL = "return a + b"
ASK = {"prompt": "def add(a, b):\n    ", "suffix": "\n"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server with the scripted engine."""
    replies: tuple[dict[str, Any], ...] = (
        {"when": "ENDLESS$", "texts": ["x y z"], "endless": True, "step_s": 0.01},
        {"when": "FAIL$", "fail": "canvas_too_long"},
        {"texts": [FILL], "n_steps": 3},
    )
    with serve_process(*replies) as served:
        # Which model it has the runtime knows once its engine was needed.
        with httpx2.Client(base_url=served.url, trust_env=False) as client:
            client.post("/infill", json={"input_prefix": "a"}).raise_for_status()
        yield served


@pytest.fixture(autouse=True)
async def _nothing_is_left(served: Served) -> Any:
    """See that whoever left has freed the model."""
    yield
    async with (
        httpx2.AsyncClient(base_url=served.url, trust_env=False) as client,
        asyncio.timeout(20),
    ):
        while (await client.get("/props")).json()["remask"]["n_running"]:
            pass


async def leave(asked: Any) -> None:
    """Ask for what never ends, and hang up as soon as the request is out."""
    task = asyncio.ensure_future(asked)
    await asyncio.wait({task}, timeout=0.3)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


async def test_openai(served: Served) -> None:
    """OpenAI's own, with completions and with an instruction about code as a chat."""
    import openai  # noqa: PLC0415  # large, and every worker reads this file

    async with openai.AsyncOpenAI(
        base_url=f"{served.url}/v1", api_key="none", max_retries=0
    ) as client:
        ask: Any = ASK | {"model": "gpt-3.5-turbo-instruct"}
        whole = await client.completions.create(**ask)
        pieces = [
            piece.choices[0].text
            async for piece in await client.completions.create(**ask, stream=True)
        ]
        edit: Any = {"role": "user", "content": "Add them.\n```python\npass\n```"}
        edited = await client.chat.completions.create(model="gpt-4o", messages=[edit])
        model = await client.models.retrieve("gpt-4o")
        await leave(client.completions.create(**ask | {"prompt": "ENDLESS"}))
        with pytest.raises(openai.BadRequestError, match="token ids"):
            await client.completions.create(model="x", prompt=[1, 2])

    assert whole.choices[0].text == "".join(pieces) == edited.choices[0].message.content == FILL
    assert model.id == whole.model == "scripted"


async def test_ollama(served: Served) -> None:
    """Ollama's own, with its list of models, and streaming as it does."""
    import ollama  # noqa: PLC0415  # large, and every worker reads this file

    client = ollama.AsyncClient(host=served.url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        ask: Any = ASK | {"model": "qwen2.5-coder:1.5b"}
        whole = await client.generate(**ask)
        pieces = [piece.response async for piece in await client.generate(**ask, stream=True)]
        listed = await client.list()
        shown = await client.show("codellama")
        running = await client.ps()
        await leave(client.generate(**ask | {"prompt": "ENDLESS"}))
        with pytest.raises(ollama.ResponseError, match="format is not supported") as caught:
            await client.generate(**ask, format="json")

    assert whole.response == "".join(pieces) == FILL
    assert "scripted" in [model.model for model in listed.models + running.models]
    assert "insert" in (shown.capabilities or [])
    assert caught.value.status_code == 400


async def test_mistral(served: Served) -> None:
    """Mistral's own, with its fill-in-the-middle call."""
    from mistralai import client as mistral  # noqa: PLC0415  # large, and every worker reads this file

    async with mistral.Mistral(api_key="none", server_url=served.url) as client:
        ask: Any = ASK | {"model": "codestral-2501"}
        whole = await client.fim.complete_async(**ask)
        events = await client.fim.stream_async(**ask)
        pieces = [str(event.data.choices[0].delta.content) async for event in events]
        await leave(client.fim.complete_async(**ask | {"prompt": "ENDLESS"}))
        with pytest.raises(mistral.errors.MistralError, match="canvas_too_long") as caught:
            await client.fim.complete_async(**ask | {"prompt": "FAIL"})

    assert whole.choices[0].message.content == "".join(pieces) == FILL
    assert caught.value.status_code == 400


@pytest.mark.filterwarnings("ignore")  # a library's own
@pytest.mark.parametrize(
    "provider", ["text-completion-openai", "text-completion-codestral", "ollama"]
)
async def test_litellm(served: Served, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM, which speaks three of the dialects."""
    # It would ask the net for prices when it is imported.
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm  # noqa: PLC0415  # for the line above
    from litellm.llms.custom_httpx import async_client_cleanup  # noqa: PLC0415  # likewise

    base = served.url
    if provider == "text-completion-openai":
        base += "/v1"
    elif provider == "text-completion-codestral":
        base += "/v1/fim/completions"
    ask: Any = ASK | {"model": f"{provider}/codestral-latest", "api_base": base, "api_key": "none"}
    ask |= {"num_retries": 0}
    whole = await litellm.atext_completion(**ask)
    stream = await litellm.atext_completion(**ask, stream=True)
    pieces = [piece.choices[0].text or "" async for piece in stream]
    await leave(litellm.atext_completion(**ask | {"prompt": "ENDLESS"}))
    with pytest.raises(Exception, match="canvas_too_long"):
        await litellm.atext_completion(**ask | {"prompt": "FAIL"})
    # What it leaves open would be found, and complained of, in the middle of another test.
    await async_client_cleanup.close_litellm_async_clients()
    litellm.in_memory_llm_clients_cache.flush_cache()
    gc.collect()

    assert whole.choices[0].text == "".join(pieces) == FILL


@pytest.mark.parametrize("library", ["openai", "ollama", "mistral"])
def test_javascript(served: Served, library: str) -> None:
    """The three that editors' extensions are made with."""
    script = "tests/http_clients/clients.mjs"
    executable = node() / "bin" / "node"
    done = subprocess.run(
        [str(executable), script, str(http_clients()), served.url, library],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["whole"] == seen["streamed"] == FILL
    assert seen["status"] == 400
    assert any(word in seen["error"] for word in ("echo", "format", "canvas_too_long"))
