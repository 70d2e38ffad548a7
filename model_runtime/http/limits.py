"""What a client has to show, and how much it may ask for.

The front listens on loopback by default; but a web page the user visits can reach loopback too.
So the host must be one of ours (a foreign name that resolves to us is an attack), and a request
that a page made, which has an origin, needs that origin allowed. Off loopback a token is demanded.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.http.faults import HttpFault
from model_runtime.http.forms import sureness_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection

#: Clients whose rate is remembered; the ones not seen for the longest time are forgotten.
MAX_CLIENTS = 1024
#: Asked by load balancers, and tells nothing.
PUBLIC_PATHS = frozenset({"/", "/health", "/v1/health"})
#: Where other clients than OpenAI's put the key.
KEY_HEADERS = ("x-api-key", "api-key")
#: Of editors and other programs that are made like pages; no page from the net can have them.
PROGRAM_SCHEMES = frozenset({"app", "capacitor", "tauri", "vscode-file", "vscode-webview"})
#: Ollama's usual port.
OLLAMA_PORT = 11434


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to serve. One field a flag of `remask serve`, but for the token."""

    host: str = "127.0.0.1"
    #: llama.vim's default.
    port: int = 8012
    #: A second port, for clients that are set to Ollama's; 0 for none.
    ollama_port: int = 0
    #: From REMASK_SERVE_TOKEN, so that no process list shows it.
    token: str = ""
    #: Names, besides its address and localhost, that this server is called by.
    allow_hosts: tuple[str, ...] = ()
    #: Origins of web pages that may ask, e.g. "https://ide.example".
    allow_origins: tuple[str, ...] = ()
    #: Names that the list of models has besides its own; any other name means the one served, too.
    aliases: tuple[str, ...] = ("codestral-latest", "mercury-edit-2")
    max_body_bytes: int = 4 * 1024 * 1024
    #: Fills at a time, waiting ones included.
    max_concurrent: int = 16
    #: Per client address; 0 for no limit.
    requests_per_minute: int = 1200
    #: Seconds a client has to send its body, and to take a piece of a reply.
    patience_s: float = 10.0
    #: Seconds from arrival after which a fill is given up.
    deadline_s: float = 120.0
    #: Seconds after which a stream that has nothing to say yet sends its head, and then after
    #: which one that has been silent says that it lives.
    headers_after_s: float = 0.25
    heartbeat_s: float = 5.0
    #: How sure a fill has to be, 0 to 1 or a word of `LEAST_CONFIDENCE`, where the client does not
    #: say; 0 shows all.
    confidence: str = "0"

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or can't be.

        Raises:
            BadRequest: says which and why.
        """
        if not self.token and not is_loopback(self.host):
            raise BadRequest(
                f"{self.host} can be reached from other machines, so a token is needed:"
                " set REMASK_SERVE_TOKEN, and have clients send it as a bearer token"
            )
        if min(self.max_body_bytes, self.max_concurrent, self.patience_s, self.deadline_s) <= 0:
            raise BadRequest("limits of size, number and time must be over 0")
        if self.requests_per_minute < 0:
            raise BadRequest("requests_per_minute can't be negative")
        if self.ollama_port and self.ollama_port == self.port:
            raise BadRequest("Ollama's clients need no second port: the first one is theirs")
        try:
            sureness_of(self.confidence)
        except ValueError as error:
            raise BadRequest(str(error)) from error

    @property
    def least_confidence(self) -> float:
        """How sure a fill has to be, as a number."""
        return sureness_of(self.confidence)


def client_address(connection: HTTPConnection) -> str:
    """Return what tells clients apart; empty where there is no address."""
    return connection.client.host if connection.client else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


class Gate:
    """Lets requests in, or says why not.

    Args:
        settings: what is demanded.
        clock: seconds.
    """

    def __init__(
        self, settings: ServeSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        #: By client address: how many requests it has left, and since when.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._n_open = 0

    def check(self, connection: HTTPConnection, path: str = "") -> None:
        """Check who asks, before anything of the body is read.

        Args:
            connection: the request's head.
            path: of the endpoint that is meant; empty takes the one that was asked for.

        Raises:
            HttpFault: it may not.
        """
        self._check_host(connection.headers.get("host", ""))
        origin = connection.headers.get("origin")
        if origin is not None and not self._permits(origin):
            raise HttpFault(
                403,
                "forbidden_origin",
                "Pages of this origin may not ask here;"
                " remask serve --allow-origin ORIGIN lets them.",
            )
        if self._settings.token and (path or connection.url.path) not in PUBLIC_PATHS:
            self._check_token(connection)
        self._check_rate(client_address(connection))

    def permits_page(self, connection: HTTPConnection) -> bool:
        """Whether a page asks that may."""
        origin = connection.headers.get("origin")
        return origin is not None and self._permits(origin)

    def _permits(self, origin: str) -> bool:
        scheme, found, _ = origin.partition("://")
        is_program = bool(found) and scheme.lower() in PROGRAM_SCHEMES
        allowed = {each.rstrip("/").lower() for each in self._settings.allow_origins}
        return is_program or origin.lower() in allowed

    def enter(self) -> None:
        """Count a fill in; `leave` must follow.

        Raises:
            HttpFault: there are too many.
        """
        if self._n_open >= self._settings.max_concurrent:
            raise HttpFault(
                429, "busy", f"{self._n_open} requests are being filled already; try again soon."
            )
        self._n_open += 1

    def leave(self) -> None:
        """Count a fill out."""
        self._n_open -= 1

    @property
    def n_open(self) -> int:
        """How many fills are under way."""
        return self._n_open

    def _check_host(self, header: str) -> None:
        if not header:
            return  # HTTP/1.0; what a page makes a browser send has one
        name = header.rsplit(":", 1)[0] if not header.endswith("]") else header
        name = name.lower().rstrip(".")
        settings = self._settings
        allowed = {each.lower() for each in (settings.host, *settings.allow_hosts)}
        if is_loopback(settings.host) and is_loopback(name):
            return
        is_any = settings.host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
        if is_any and not settings.allow_hosts:
            return  # the token is what protects it
        if name.strip("[]") not in allowed:
            raise HttpFault(
                421,
                "unknown_host",
                "This server is not called by that name;"
                " remask serve --allow-host NAME has it answer to it.",
            )

    def _check_token(self, connection: HTTPConnection) -> None:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        keys = [given] if scheme.lower() == "bearer" else []
        keys += [connection.headers.get(name, "") for name in KEY_HEADERS]
        token = self._settings.token.encode()
        if not any([hmac.compare_digest(key.strip().encode(), token) for key in keys]):  # noqa: C419  # all take as long
            raise HttpFault(
                401,
                "unauthorized",
                "The key is missing or wrong: set the client's API key to the token that this"
                " server was started with, REMASK_SERVE_TOKEN.",
            )

    def _check_rate(self, client: str) -> None:
        limit = self._settings.requests_per_minute
        if not limit:
            return
        now = self._clock()
        left, since = self._left.pop(client, (float(limit), now))
        left = min(limit, left + (now - since) * limit / 60)
        self._left[client] = (max(0.0, left - 1), now)
        if len(self._left) > MAX_CLIENTS:
            self._left.popitem(last=False)
        if left < 1:
            raise HttpFault(
                429, "rate_limited", f"More than {limit} requests a minute; try again in a moment."
            )
