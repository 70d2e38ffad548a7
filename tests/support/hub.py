"""A stand-in for the hub, on the loopback: one file, ranges, and the ways it can fail."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from model_runtime.weights.catalog import HubFile

if TYPE_CHECKING:
    from collections.abc import Iterator


class Hub(ThreadingHTTPServer):
    """Serves `content` under any path."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        #: Hang up after so many bytes of an answer; None sends all.
        self.cut_after: int | None = None
        self.knows_ranges = True
        self.status = 200
        #: The Range header of each download so far.
        self.ranges: list[str] = []
        #: Cleared, downloads wait in their middle.
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_halfway = threading.Event()

    @property
    def file(self) -> HubFile:
        """The file as the catalog would name it."""
        endpoint = f"http://127.0.0.1:{self.server_port}"
        return HubFile(repository="a/b", revision="c", file="d", endpoint=endpoint)


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._send_head(self.server.status, len(self.server.content))

    def do_GET(self) -> None:
        hub = self.server
        asked = self.headers["Range"]
        hub.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if hub.knows_ranges else 0
        body = hub.content[start:]
        self._send_head(206 if hub.knows_ranges else 200, len(body))
        body = body if hub.cut_after is None else body[: hub.cut_after]
        self.wfile.write(body[: len(body) // 2])
        hub.is_halfway.set()
        hub.may_go_on.wait()
        self.wfile.write(body[len(body) // 2 :])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _send_head(self, status: int, n_bytes: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(n_bytes))
        self.end_headers()


@contextlib.contextmanager
def hub_with(content: bytes) -> Iterator[Hub]:
    """Serve a file while the context lasts."""
    with Hub(content) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.may_go_on.set()
            hub.shutdown()
            thread.join()
