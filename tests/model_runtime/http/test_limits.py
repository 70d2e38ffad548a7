"""Who is let in."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from model_runtime.errors import BadRequest
from model_runtime.http.faults import HttpFault
from model_runtime.http.limits import Gate, ServeSettings, is_loopback


def connection(path: str = "/infill", **headers: str) -> HTTPConnection:
    """Return a request's head."""
    named = {"host": "127.0.0.1:8012"} | headers
    scope: dict[str, Any] = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8012),
        "query_string": b"",
    }
    return HTTPConnection(scope)


def refusal(gate: Gate, head: HTTPConnection) -> int | None:
    """Return the status that a request is refused with; None if it is let in."""
    try:
        gate.check(head)
    except HttpFault as fault:
        return fault.status
    return None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8012", "[::1]:8012"])
def test_loopback_names_are_ours(host: str) -> None:
    """Whatever a client calls this machine's loopback, it is let in."""
    assert refusal(Gate(ServeSettings()), connection(host=host)) is None


def test_foreign_host_is_refused() -> None:
    """A name that an attacker's page resolves to us is not ours."""
    assert refusal(Gate(ServeSettings()), connection(host="evil.example")) == 421


def test_named_host_is_let_in() -> None:
    """A name that the user gave is ours."""
    gate = Gate(ServeSettings(allow_hosts=("box.example",)))

    assert refusal(gate, connection(host="box.example:8012")) is None


def test_page_is_refused_unless_allowed() -> None:
    """What a web page sends has an origin, and only an allowed one may ask."""
    gate = Gate(ServeSettings(allow_origins=("https://ide.example",)))

    assert refusal(gate, connection(origin="https://evil.example")) == 403
    assert refusal(gate, connection(origin="https://ide.example")) is None


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic secret", "secret", "Bearer é"])
def test_wrong_token_is_refused(header: str) -> None:
    """Only the very token is let in, as a bearer's."""
    gate = Gate(ServeSettings(token="secret"))

    assert refusal(gate, connection(authorization=header)) == 401
    assert refusal(gate, connection(authorization="bearer secret")) is None


def test_health_needs_no_token() -> None:
    """A load balancer has none."""
    assert refusal(Gate(ServeSettings(token="secret")), connection("/health")) is None


def test_token_is_demanded_off_loopback() -> None:
    """Nobody can serve to other machines without a token by mistake."""
    with pytest.raises(BadRequest, match="REMASK_SERVE_TOKEN"):
        ServeSettings(host="0.0.0.0")
    assert ServeSettings(host="0.0.0.0", token="t").token == "t"


def test_rate_refills() -> None:
    """A client that asks too often waits; time gives its requests back."""
    now = [0.0]
    gate = Gate(ServeSettings(requests_per_minute=2), clock=lambda: now[0])

    assert [refusal(gate, connection()) for _ in range(3)] == [None, None, 429]
    now[0] = 30.0
    assert [refusal(gate, connection()) for _ in range(2)] == [None, 429]


def test_number_of_fills_is_limited() -> None:
    """One too many is refused; when one leaves, another may enter."""
    gate = Gate(ServeSettings(max_concurrent=1))
    gate.enter()

    with pytest.raises(HttpFault, match="already"):
        gate.enter()
    gate.leave()
    gate.enter()

    assert gate.n_open == 1


@pytest.mark.parametrize(
    ("host", "expected"), [("::1", True), ("127.9.9.9", True), ("10.0.0.1", False), ("x", False)]
)
def test_loopback_is_recognized(host: str, expected: bool) -> None:  # noqa: FBT001  # a table
    """Only addresses that no other machine can reach count as loopback."""
    assert is_loopback(host) is expected
