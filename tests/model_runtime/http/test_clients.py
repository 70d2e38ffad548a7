"""Clients that people use: OpenAI's own Python library, and plain scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.front import SelfRunning, fronting

if TYPE_CHECKING:
    from pathlib import Path

FILL = "return a + b"


@pytest.fixture
def engine() -> SelfRunning:
    """An engine with one answer."""
    engine = SelfRunning()
    engine.text = FILL
    return engine


async def test_openai_library(short_path: Path, engine: SelfRunning) -> None:
    """The OpenAI library gets a fill, streamed and not, and lists the models."""
    import openai  # noqa: PLC0415  # large, and every worker reads this file

    async with (
        fronting(short_path, engine) as front,
        openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="none") as client,
    ):
        ask = {"model": "remask", "prompt": "def add(a, b):\n    ", "suffix": "\n"}
        whole = await client.completions.create(**ask)
        stream = await client.completions.create(**ask, stream=True)
        pieces = [piece.choices[0].text async for piece in stream]
        models = [model.id async for model in client.models.list()]

    assert whole.choices[0].text == FILL
    assert "".join(pieces) == FILL
    assert "remask" in models


async def test_openai_library_reads_errors(short_path: Path, engine: SelfRunning) -> None:
    """The OpenAI library tells a wrong token from a body that can't be filled."""
    import openai  # noqa: PLC0415  # large, and every worker reads this file

    async with fronting(short_path, engine, token="secret") as front:
        wrong = openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="x", max_retries=0)
        right = openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="secret", max_retries=0)
        async with wrong, right:
            with pytest.raises(openai.AuthenticationError):
                await wrong.models.list()
            with pytest.raises(openai.BadRequestError) as caught:
                await right.completions.create(model="gpt-9", prompt="x", echo=True)

    assert caught.value.param == "echo"


async def test_tabby_tells_the_language(short_path: Path, engine: SelfRunning) -> None:
    """A field of its own, which the model is told as any other client's."""
    async with fronting(short_path, engine) as front:
        body: dict[str, Any] = {
            "language": "rust",
            "segments": {"prefix": "fn a() {", "suffix": "}"},
        }
        assert (await front.post("/v1/completions", **body)).status_code == 200
        assert (await engine.started()).language == "rust"


async def test_an_empty_chat_has_the_model_loaded(short_path: Path, engine: SelfRunning) -> None:
    """As Ollama's clients mean it, with messages that are missing or none."""
    async with fronting(short_path, engine) as front:
        bodies: list[dict[str, Any]] = [{}, {"messages": []}]
        for body in bodies:
            reply = await front.post("/api/chat", model="x", stream=False, **body)
            assert reply.status_code == 200, reply.text
            assert reply.json()["message"]["content"] == ""
            assert reply.json()["done_reason"] == "load"
