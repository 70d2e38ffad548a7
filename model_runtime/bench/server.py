"""What the language server takes: measured from outside, as an editor sees it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model_runtime.bench.base import Table
from model_runtime.evaluation.asking import Clock

if TYPE_CHECKING:
    from model_runtime.bench.base import Row, Setup

URI = "file:///bench/temperature.py"
TEXT = "def celsius_to_kelvin(celsius):\n    return 0.0\n" * 50


class Editor:
    """As much of a language client as a measurement needs; its runtime's folder is told."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lsp_server", "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "REMASK_RUNTIME_DIR": str(folder)},
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the server has no standard input or output")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
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
        self._stdin.close()
        self._stdout.close()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._stdin.flush()


def measure(setup: Setup) -> list[Table]:
    """Measure `initialize`, process start included, and the reply to a code action request."""
    initialize, code_action = [], []
    with tempfile.TemporaryDirectory(prefix="rm-") as folder:
        for _ in range(max(3, setup.repeat)):
            clock = Clock()
            editor = Editor(Path(folder))
            capabilities = {"textDocument": {"codeAction": {"dataSupport": True}}}
            editor.request("initialize", {"processId": None, "capabilities": capabilities})
            initialize.append(clock.seconds * 1e3)
            code_action += _code_actions(editor, max(3, setup.repeat))
            editor.close()
    rows: list[Row] = [
        {"what": "initialize, process start included", "ms": statistics.median(initialize)},
        {"what": "reply to codeAction", "ms": statistics.median(code_action)},
    ]
    says = "What an editor waits for, no runtime and no model behind it."
    return [Table(title="The language server", says=says, rows=tuple(rows))]


def _code_actions(editor: Editor, n_times: int) -> list[float]:
    """Open a document; return the milliseconds of each reply after the first."""
    editor.notify("initialized", {})
    document = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
    editor.notify("textDocument/didOpen", {"textDocument": document})
    selection = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 14}}
    params = {"textDocument": {"uri": URI}, "range": selection, "context": {"diagnostics": []}}
    taken = []
    for _ in range(1 + n_times):
        clock = Clock()
        editor.request("textDocument/codeAction", params)
        taken.append(clock.seconds * 1e3)
    return taken[1:]


def _read(stream: IO[bytes]) -> dict[str, Any]:
    n_bytes = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            n_bytes = int(value)
    message: dict[str, Any] = json.loads(stream.read(n_bytes))
    return message
