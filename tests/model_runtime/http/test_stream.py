"""A streamed reply by itself."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from model_runtime.http.dialect import Turn
from model_runtime.http.fill import Filled, Piece
from model_runtime.http.llama import InfillBody, LlamaDialect
from model_runtime.http.stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

    from model_runtime.http.fill import Ask


class Faulty(LlamaDialect):
    """A dialect with a bug."""

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """Fail in a way that nobody foresaw."""
        raise KeyError(piece.text)


async def test_a_bug_in_the_middle_of_a_stream_is_told_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the dialect's own words, with the number that is in the log; no text is in either."""

    async def settled() -> AsyncGenerator[Piece | Filled]:
        yield Piece("secret")

    dialect = Faulty()
    ask = dialect.read(InfillBody(input_prefix="a", stream=True))
    going_on = settled()
    first = asyncio.ensure_future(anext(going_on))
    stream = Stream(first, going_on, ask, dialect, Turn(id="1", created=0, model="m"), 5.0)
    told = b"".join([part async for part in stream.body_iterator])
    await going_on.aclose()

    number = re.search(rb"number (\w+) in its log", told)
    assert number is not None
    assert number[1].decode() in caplog.text
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text + told.decode()
