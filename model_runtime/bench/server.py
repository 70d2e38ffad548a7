"""What the language server takes: measured from outside, as an editor sees it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from model_runtime.bench.table import Row

URI = "file:///bench/temperature.py"
TEXT = "def celsius_to_kelvin(celsius):\n    return 0.0\n" * 50


class Editor:
    """As much of a language client as a measurement needs.

    Args:
        folder: the runtime's directory; none is started by what is measured here.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lsp_server", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(folder),
        )
        self._n_sent = 0

    def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result."""
        self._n_sent += 1
        self._send({"id": self._n_sent, "method": method, "params": params})
        while True:
            message = _read(self._stdout)
            if message.get("id") == self._n_sent and "method" not in message:
                return message.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def close(self) -> None:
        """Take leave as the protocol says."""
        self.request("shutdown", None)
        self.notify("exit", None)
        self._process.wait(timeout=10)

    @property
    def _stdout(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise RuntimeError("the server has no standard output")
        return self._process.stdout

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the server has no standard input")
        stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        stdin.flush()


def measure_server(n_times: int) -> list[Row]:
    """Measure `initialize`, process start included, and the reply to a code action request."""
    initialize, code_action = [], []
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        for _ in range(n_times):
            started = time.perf_counter()
            editor = Editor(Path(folder))
            capabilities = {"textDocument": {"codeAction": {"dataSupport": True}}}
            editor.request("initialize", {"processId": None, "capabilities": capabilities})
            initialize.append(time.perf_counter() - started)
            editor.notify("initialized", {})
            document = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
            editor.notify("textDocument/didOpen", {"textDocument": document})
            selection = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 14}}
            params = {
                "textDocument": {"uri": URI},
                "range": selection,
                "context": {"diagnostics": []},
            }
            editor.request("textDocument/codeAction", params)
            for _ in range(n_times):
                started = time.perf_counter()
                editor.request("textDocument/codeAction", params)
                code_action.append(time.perf_counter() - started)
            editor.close()
    return [
        Row("server: initialize", statistics.median(initialize), "s", "process start included"),
        Row("server: codeAction reply", statistics.median(code_action) * 1e3, "ms"),
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "REMASK_RUNTIME_DIR": str(folder)}


def _read(stream: IO[bytes]) -> dict[str, Any]:
    n_bytes = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            n_bytes = int(value)
    message: dict[str, Any] = json.loads(stream.read(n_bytes))
    return message
