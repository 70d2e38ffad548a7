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

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection

#: Clients whose rate is remembered; the ones not seen for the longest time are forgotten.
MAX_CLIENTS = 1024
#: Asked by load balancers, and tells nothing.
PUBLIC_PATHS = frozenset({"/health", "/v1/health"})


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to serve. One field a flag of `remask serve`, but for the token."""

    host: str = "127.0.0.1"
    #: llama.vim's default.
    port: int = 8012
    #: From REMASK_SERVE_TOKEN, so that no process list shows it.
    token: str = ""
    #: Names, besides its address and localhost, that this server is called by.
    allow_hosts: tuple[str, ...] = ()
    #: Origins of web pages that may ask, e.g. "https://ide.example".
    allow_origins: tuple[str, ...] = ()
    #: Names of models that clients have wired in and that stand for the one served here.
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


def client_address(connection: HTTPConnection) -> str:
    """Return what tells clients apart; empty where there is no address."""
    return connection.client.host if connection.client else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


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

    def check(self, connection: HTTPConnection) -> None:
        """Check who asks, before anything of the body is read.

        Raises:
            HttpFault: it may not.
        """
        self._check_host(connection.headers.get("host", ""))
        origin = connection.headers.get("origin")
        if origin is not None and origin not in self._settings.allow_origins:
            raise HttpFault(403, "forbidden_origin", "Pages of this origin may not ask here.")
        if self._settings.token and connection.url.path not in PUBLIC_PATHS:
            self._check_token(connection.headers.get("authorization", ""))
        self._check_rate(client_address(connection))

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
        name = header.rsplit(":", 1)[0] if not header.endswith("]") else header
        allowed = {self._settings.host, *self._settings.allow_hosts}
        if is_loopback(self._settings.host) and is_loopback(name):
            return
        is_any = self._settings.host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
        if is_any and not self._settings.allow_hosts:
            return  # the token is what protects it
        if name.strip("[]") not in allowed:
            raise HttpFault(
                421, "unknown_host", "This server is not called by that name; see --allow-host."
            )

    def _check_token(self, header: str) -> None:
        scheme, _, given = header.partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), self._settings.token.encode())
        if scheme.lower() != "bearer" or not is_right:
            raise HttpFault(
                401,
                "unauthorized",
                "A bearer token is needed here, and yours is not the right one.",
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
