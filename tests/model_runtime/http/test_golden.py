"""Recorded bodies: what clients send, and what they get to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.front import SelfRunning, events, fronting

FOLDER = Path(__file__).parents[2] / "golden" / "http"
#: Fields that are new in each reply; "*" stands for them.
VOLATILE = ("id", "created")


def steady(body: Any) -> Any:
    """Return a body, or a stream's bodies, without what is new each time."""
    if isinstance(body, list):
        return [steady(event) for event in body]
    if not isinstance(body, dict):
        return body
    return body | {key: "*" for key in VOLATILE if key in body}


RECORDED = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=list(RECORDED))
async def test_recorded_reply(short_path: Path, recorded: dict[str, Any]) -> None:
    """A recorded request gets its recorded reply, field by field and in order."""
    engine = SelfRunning()
    engine.text = "w * h"
    async with fronting(short_path, engine) as front:
        reply = await front.post(recorded["path"], **recorded["request"])

    is_stream = reply.headers["content-type"].startswith("text/event-stream")
    body = events(reply.text) if is_stream else reply.json()
    assert reply.status_code == recorded["status"]
    assert json.dumps(steady(body)) == json.dumps(recorded["reply"])
