"""A real runtime process with the scripted engine."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lsp_server.runtime.address import Transport


def scripted_arguments(folder: Path, *replies: dict[str, Any]) -> tuple[str, ...]:
    """Write a script and return what makes a runtime answer from it."""
    script = folder / "script.json"
    script.write_text(json.dumps({"replies": replies}))
    return ("--engine", "scripted", "--script", str(script))


@contextlib.asynccontextmanager
async def scripted_client(
    folder: Path, *replies: dict[str, Any], transport: Transport | None = None
) -> AsyncIterator[RuntimeClient]:
    """Yield a client whose runtime answers from a script; both are gone afterwards.

    Args:
        folder: the runtime's directory; its path must be short.
        replies: see `model_runtime.engines.scripted.Reply`.
        transport: None takes the system's own.
    """
    process = RuntimeProcess(folder, scripted_arguments(folder, *replies), transport=transport)
    client = RuntimeClient(process)
    try:
        yield client
    finally:
        await client.close()
        await client.stop()
