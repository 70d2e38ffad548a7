"""`remask serve` as a process, against its own published description."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from support.serve_process import Served, serve_process

from model_runtime.http.app import FILLS
from model_runtime.http.dialect import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
#: Where a body is read as it is described and no otherwise: the wire itself. What people's clients
#: send is read in good faith, so that not all that breaks the description is refused.
STRICT = [*CHECKS, negative_data_rejection]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server with the scripted engine."""
    with serve_process({"texts": ["return w * h\n"], "n_steps": 3}) as served:
        yield served


@pytest.fixture(scope="module")
def description(served: Served) -> Any:
    """What it says of itself."""
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", FILLS)
def test_fills_keep_their_description(
    description: Any, path: str, mode: schemathesis.GenerationMode
) -> None:
    """Whatever is sent, good or bad, gets a reply that the description promises."""
    is_good = mode is schemathesis.GenerationMode.POSITIVE
    is_wire = path == "/remask/infill"
    statuses = set()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=description[path]["POST"].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if is_good and is_wire:
            case.body.pop("deadline_s", None)  # one that nobody can keep is answered with 504
        elif is_good:
            sound(case.body)
        # Null is as if it were not there, in every dialect.
        is_strict = is_wire and not is_good and not holds_null(case.body)
        checks = STRICT if is_strict else CHECKS
        statuses.add(case.call_and_validate(checks=checks).status_code)

    check()
    if is_good:
        assert 200 in statuses
    else:
        assert statuses - {200}


def holds_null(value: Any) -> bool:
    """Say whether a value has a null in it, however deep."""
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    if isinstance(value, list):
        return any(map(holds_null, value))
    return value is None


def sound(body: dict[str, Any]) -> None:
    """Make a body one that can be filled, without what is described and then refused."""
    for field in MEANINGS:
        body.pop(field, None)
    for field in ("best_of", "n", "stop", "remask", "options", "deadline_s", "suffix"):
        # Of values that nobody can keep, or that mean something only together.
        body.pop(field, None)
    if "messages" in body:
        body["messages"] = [{"role": "user", "content": "Double it.\n```\nx = 1\n```"}]
    if "prompt" in body or not body.get("segments"):
        body["prompt"] = "x = "


def test_every_endpoint_is_described(description: Any) -> None:
    """What can be read without a body is there, and replies as described."""
    paths = {operation.ok().path for operation in description.get_all_operations()}
    assert paths > set(FILLS)
    for path in paths - set(FILLS):
        operation = description[path]["POST" if path == "/api/show" else "GET"]
        named = {"path_parameters": {"model": "x"}} if "{" in path else {}
        operation.Case(**named).call_and_validate(checks=CHECKS)


def test_script_gets_a_fill(served: Served) -> None:
    """A plain script gets the scripted fill, streamed and not."""
    body = {"model": "remask", "prompt": "def area(w, h):\n    ", "suffix": "\n"}
    with httpx2.Client(base_url=served.url, trust_env=False) as client:
        whole = client.post("/v1/completions", json=body).json()
        streamed = client.post("/v1/completions", json=body | {"stream": True}).text

    assert whole["choices"][0]["text"] == "return w * h\n"
    assert streamed.endswith("data: [DONE]\n\n")


def test_server_leaves_when_told() -> None:
    """It ends by the signal that it gets, in order, and its runtime leaves when idle."""
    with serve_process() as served:
        assert httpx2.get(f"{served.url}/health", trust_env=False).status_code == 200

    assert served.process.returncode == -signal.SIGTERM
