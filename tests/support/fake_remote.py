"""A server on another machine, as far as an engine can tell; behaves or misbehaves to order."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Reply = Callable[["Handler"], None]

#: Seconds after which a test that hangs fails instead.
PATIENCE_S = 20.0


@dataclass
class FakeRemote:
    """What it was asked, and what it does about it."""

    url: str = ""
    #: What to do with each request in turn; the last one is for all that follow.
    replies: list[Reply] = field(default_factory=list)
    #: Path, headers and body of each request.
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    #: Set when a request has come.
    asked: threading.Event = field(default_factory=threading.Event)
    #: Set when a client of `hang` has hung up.
    dropped: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    fake: FakeRemote

    def do_POST(self) -> None:
        """Note the request and do as ordered."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.requests.append((self.path, headers, json.loads(body)))
        reply = self.fake.replies.pop(0) if len(self.fake.replies) > 1 else self.fake.replies[0]
        self.fake.asked.set()
        with contextlib.suppress(ConnectionError):
            reply(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def fake_remote(*replies: Reply) -> Iterator[FakeRemote]:
    """Serve while the context lasts."""
    fake = FakeRemote(replies=list(replies))
    handler = type("Bound", (Handler,), {"fake": fake})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    """Reply with JSON, or with bytes as they stand."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def stream(*events: Any) -> Reply:
    """Reply with server-sent events and hang up, whether they are complete or not."""
    text = "".join(
        f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events
    )

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(text.encode())
        handler.close_connection = True

    return reply


def cut(handler: Handler) -> None:
    """Promise more than is sent, and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def hang(handler: Handler) -> None:
    """Say nothing until the client hangs up."""
    handler.connection.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError):
        if not handler.rfile.read(1):
            handler.fake.dropped.set()
    handler.close_connection = True
