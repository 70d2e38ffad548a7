"""A runtime process with the default family in small: `python -m support.tiny_runtime DIRECTORY`.

It says "ready", as the real one does, and leaves by SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import torch
from support import tiny_canvas

from model_runtime.service import listen
from model_runtime.service.server import RuntimeServer
from model_runtime.service.worker import Worker


async def main(directory: Path) -> None:
    """Serve until told to leave."""
    torch.set_num_threads(1)
    server = RuntimeServer(
        Worker(tiny_canvas.engine), model="tiny", idle_exit_s=0, log_path=Path("none")
    )
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: server.leave(now=True))
    with listen.hold(directory, 1.0):
        await server.serve(directory, "unix", lambda: print("ready", flush=True))  # noqa: T201  # the interface


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
