"""A program between an editor and `remask lsp`: announces ghost events, and writes them down.

    python lsp_proxy.py LOG COMMAND...

Everything goes through. The answer to `initialize` gets the capability, and LOG is there from then
on; notifications about ghost text are appended to it, one JSON object a line, and the server is
spared them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any


def read(stream: IO[bytes]) -> dict[str, Any] | None:
    """Return the next message; None at the end."""
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(stream.read(length)) if length else None


def write(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send a message."""
    body = json.dumps(message).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    stream.flush()


def main() -> None:
    """Run until the editor or the server leaves."""
    log, *command = sys.argv[1:]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout

    def answer() -> None:
        while message := read(server.stdout):
            capabilities = message.get("result") or {}
            if isinstance(capabilities, dict) and "capabilities" in capabilities:
                announced = capabilities["capabilities"].setdefault("experimental", {})
                announced.setdefault("remask", {})["ghostEvents"] = True
                Path(log).touch()
            write(sys.stdout.buffer, message)

    threading.Thread(target=answer, daemon=True).start()
    while message := read(sys.stdin.buffer):
        if message.get("method", "").endswith("Completion") and "id" not in message:
            with open(log, "a") as lines:  # noqa: PTH123  # as short as it gets
                lines.write(json.dumps(message) + "\n")
        else:
            write(server.stdin, message)
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    main()
