"""Recorded bodies: what clients send, and what they get to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.front import SelfRunning, events, fronting

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

FOLDER = Path(__file__).parents[2] / "golden" / "http"
#: Fields that are new in each reply; "*" stands for them.
VOLATILE = ("id", "created", "created_at", "total_duration", "load_duration")
#: How a reply of each kind is read.
READ = {
    "application/json": json.loads,
    "text/event-stream": events,
    "application/x-ndjson": lambda text: [json.loads(line) for line in text.splitlines()],
}


def steady(body: Any) -> Any:
    """Return a body, or a stream's bodies, without what is new each time."""
    if isinstance(body, list):
        return [steady(event) for event in body]
    if not isinstance(body, dict):
        return body
    return body | {key: "*" for key in VOLATILE if key in body}


def read(path: Path) -> Any:
    """Return what was recorded."""
    return json.loads(path.read_bytes())


def write(path: Path, recorded: Any) -> None:
    """Record it anew."""
    path.write_text(json.dumps(recorded, indent=2, ensure_ascii=False) + "\n")


def told(request: InfillRequest, about: Any) -> Any:
    """Return what the engine was asked, as far as the recorded file speaks of it."""
    (span,) = request.spans
    everything = {
        "prefix": request.prefix,
        "suffix": request.suffix,
        "path": request.path,
        "files": [[file.path, file.text] for file in request.context],
        "single_line": span.single_line,
        "text": span.text,
        "instruction": request.instruction,
        "mode": request.mode,
        "language": request.language,
    }
    return {field: everything[field] for field in about}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
async def test_recorded_reply(short_path: Path, path: Path, pytestconfig: pytest.Config) -> None:
    """A recorded request gets its recorded reply, field by field and in order."""
    recorded = read(path)
    engine = SelfRunning()
    engine.text = "w * h"
    async with fronting(short_path, engine) as front:
        reply = await front.post(recorded["path"], **recorded["request"])
        if "asked" in recorded:
            assert told(await engine.started(), recorded["asked"]) == recorded["asked"]

    kind = reply.headers["content-type"].partition(";")[0]
    body = READ[kind](reply.text)
    assert reply.status_code == recorded["status"]
    if pytestconfig.getoption("--update-golden"):
        write(path, recorded | {"reply": steady(body)})
        return
    assert json.dumps(steady(body)) == json.dumps(recorded["reply"])
