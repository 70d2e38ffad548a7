"""`remask serve` as a process of its own, with a runtime of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from model_runtime.protocol import PROTOCOL_VERSION, SOCKET_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Served:
    """Where it serves."""

    url: str
    process: subprocess.Popen[str]
    directory: Path


@contextlib.contextmanager
def serve_process(
    *replies: dict[str, Any], flags: tuple[str, ...] = (), engine: str = "scripted"
) -> Iterator[Served]:
    """Serve an engine over HTTP while the context lasts.

    Args:
        replies: the scripted engine's; see `model_runtime.engines.scripted.Reply`.
        flags: more of `remask serve`.
        engine: its name; "local" has the default model.
    """
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        directory = Path(folder)
        script = directory / "script.json"
        script.write_text(json.dumps({"replies": replies}))
        command = [sys.executable, "-m", "model_runtime", "serve", "--port", "0"]
        command += ["--directory", folder, "--engine", engine, "--script", str(script)]
        # The runtime outlives its front; idle for a second, it leaves.
        command += ["--idle-exit-s", "1", "--requests-per-minute", "0", *flags]
        environment = os.environ | {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            assert url.startswith("http"), "it did not start"
            try:
                yield Served(url, process, directory)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)
                _wait_for_runtime(directory)


def _wait_for_runtime(directory: Path) -> None:
    """Wait until the runtime has left: until it lets go of its directory."""
    with FileLock(directory / f"runtime-{PROTOCOL_VERSION}.lock", timeout=20):
        assert not (directory / SOCKET_NAME).exists()
