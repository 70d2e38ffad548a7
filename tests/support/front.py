"""The HTTP front on a real port, in front of a real runtime, all in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
from support.stepped import SteppedEngine, serving

from model_runtime.http.limits import ServeSettings
from model_runtime.http.runtime import Runtime
from model_runtime.http.serve import FrontServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

#: No limit of rate, and a port that is free.
TEST_SETTINGS = ServeSettings(port=0, requests_per_minute=0)


class QuickServer(FrontServer):
    """A front that leaves when it is told to, not when it next looks whether it was."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._leaves = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for that."""
        await self.on_tick(0)
        await self._leaves.wait()

    def leave(self) -> None:
        """Tell it."""
        self.should_exit = True
        self._leaves.set()


@dataclass
class Front:
    """A front that runs, and who to ask it with."""

    url: str
    client: httpx2.AsyncClient
    engine: SteppedEngine

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        """Post a JSON body."""
        return await self.client.post(path, json=body)

    async def open(self, path: str, **body: Any) -> httpx2.Response:
        """Post a JSON body and return once the reply begins; to be closed."""
        return await self.client.send(
            self.client.build_request("POST", path, json=body), stream=True
        )


@contextlib.asynccontextmanager
async def fronting(
    directory: Path, engine: SteppedEngine | None = None, **settings: Any
) -> AsyncIterator[Front]:
    """Serve an engine over HTTP while the context lasts.

    Args:
        directory: the runtime's; its path must be short.
        engine: None takes one that fills at once, over and over.
        settings: of `ServeSettings`, over those of tests.
    """
    given = engine or SelfRunning()
    async with serving(given, directory):
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        server = QuickServer(
            Runtime(directory), msgspec.structs.replace(TEST_SETTINGS, **settings), ready.set_result
        )
        task = asyncio.create_task(server.serve())
        url = await ready
        try:
            async with httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
                yield Front(url, client, given)
        finally:
            server.leave()
            await task


class SelfRunning(SteppedEngine):
    """Takes one step a request and finishes, without orders."""

    def infill(self, *arguments: Any) -> Any:
        """Give itself the orders."""
        self._orders.put(lambda: None)
        self._orders.put(None)
        return super().infill(*arguments)


def events(text: str) -> list[Any]:
    """Return the JSON events of a stream, without its comments; "[DONE]" as it stands."""
    said = [line for line in text.split("\n\n") if line and not line.startswith(":")]
    lines = [line.removeprefix("data: ") for line in said]
    return [line if line == "[DONE]" else msgspec.json.decode(line) for line in lines]
